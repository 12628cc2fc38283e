"""`policy new`: a policy and its test, ready to be changed."""

from __future__ import annotations

import os
from pathlib import Path

import click

from console.output import write_whole
from console.policy.options import FOLDER
from kernel.errors import InputRefused
from rules.load.keys import NAME


@click.command(help="Write a new policy and its test, ready to be changed.")
@click.argument("name")
@click.argument(
    "folder", type=FOLDER, required=False, envvar="MAILBOX_GUARD_POLICIES_DIR", default="policies"
)
def new(name: str, folder: Path) -> None:
    """Nothing is overwritten; the policy begins in mode audit.

    The JSON Schemas, by which editors complete and explain, are written when they are not there.
    """
    from rules.testing import starter

    if not NAME.fullmatch(name):
        raise InputRefused(
            f"`{name}` is no name for a policy.",
            hint="Use 3 to 63 small letters, digits or hyphens.",
        )
    if not folder.is_dir():
        raise InputRefused(
            f"There is no folder {folder}.", hint="Name the root of a policy folder, or make it."
        )
    inner = folder / "policies"
    home = inner if inner.is_dir() and any(inner.glob("*.y*ml")) else folder
    files = {
        home / f"{name}.yaml": starter.policy_text,
        folder / "tests" / f"{name}.test.yaml": starter.test_text,
    }
    for path in files:
        if path.exists():
            raise InputRefused(f"{path} is there already.", hint="Choose another name.")
    for path, made in files.items():
        path.parent.mkdir(exist_ok=True)
        schema = Path(os.path.relpath(folder / "schema", path.parent)).as_posix()
        write_whole(path, made(name, schema=schema))
        click.echo(str(path))
    _write_schemas(folder)


def _write_schemas(folder: Path) -> None:
    from rules.load.loader import catalogue_of
    from rules.schema.generate import schema_texts

    home = folder / "schema"
    if home.exists():
        return
    home.mkdir()
    for name, text in schema_texts(catalogue_of(folder)).items():
        write_whole(home / name, text)
    click.echo(f"{home}{os.sep}")
