"""`policy schema`: the JSON Schemas for editors, made from the catalogue of a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from console.output import Output, emit, output_option, write_whole
from console.policy.options import FOLDER, taken
from kernel.errors import InputRefused


@click.command(help="Write the JSON Schemas of a policy folder, or check that they are current.")
@click.argument("folder", type=FOLDER, required=False, envvar="MAILBOX_GUARD_POLICIES_DIR")
@click.option("--write", "is_writing", is_flag=True, help="Write schema/*.schema.json anew.")
@click.option("--check", "is_checking", is_flag=True, help="Name the stale files; exit 1 for any.")
@output_option()
def schema(
    folder: Path | None, is_writing: bool, is_checking: bool, outputs: Sequence[Output]
) -> int:
    """Without an option the schemas are printed. Exit 1 when `--check` finds a stale one."""
    from rules.load.loader import catalogue_of
    from rules.schema.generate import schema_texts, schemas

    if is_writing and is_checking:
        raise click.UsageError("Give one of --write and --check.")
    root = taken(folder)
    if not root.is_dir():
        raise InputRefused(f"There is no folder {root}.", hint="Name the root of a policy folder.")
    catalogue = catalogue_of(root)
    if not is_writing and not is_checking:
        made = schemas(catalogue)
        emit(outputs or [Output("json")], made, text=lambda: "\n".join(made))
        return 0
    home = root / "schema"
    stale = [
        name
        for name, text in schema_texts(catalogue).items()
        if not (home / name).is_file() or (home / name).read_text("utf-8") != text
    ]
    if is_writing:
        home.mkdir(exist_ok=True)
        for name in stale:
            write_whole(home / name, schema_texts(catalogue)[name])
    mend = f"mailbox-guard policy schema {folder or ''} --write".replace("  ", " ")
    verb = "is written" if is_writing else f"is stale: run `{mend}`"
    lines = [f"{home / name} {verb}." for name in stale] or ["The schemas are current."]
    emit(outputs, {"folder": str(root), "stale": stale}, text=lambda: "\n".join(lines))
    return 1 if is_checking and stale else 0
