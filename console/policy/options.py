"""The options and shapes that the verbs share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from rules.syntax.complaint import Complaint
from rules.syntax.shipped import shipped_folder

FOLDER = click.Path(path_type=Path, file_okay=False)


def folder_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the policy folder and the environment to a verb."""
    command = click.option(
        "--environment",
        envvar="MAILBOX_GUARD_ENVIRONMENT",
        help="Which params/<environment>.yaml applies.",
    )(command)
    return click.argument(
        "folder",
        type=FOLDER,
        required=False,
        envvar="MAILBOX_GUARD_POLICIES_DIR",
    )(command)


def taken(folder: Path | None) -> Path:
    """Return the folder that a verb works on: the named one, ./policies, or the shipped one.

    Which one was taken without being named is said beside the results.
    """
    if folder is not None:
        return folder
    own = Path("policies")
    if own.is_dir():
        click.echo(f"The folder {own} of this directory is taken.", err=True)
        return own
    click.echo("There is no folder policies here: the shipped policies are taken.", err=True)
    return shipped_folder()


def complaint_json(complaint: Complaint) -> dict[str, Any]:
    """Return a complaint as JSON tells it."""
    return {
        "file": complaint.file,
        "line": complaint.line,
        "column": complaint.column,
        "level": complaint.level,
        "code": complaint.code,
        "text": complaint.text,
        "hint": complaint.hint,
    }
