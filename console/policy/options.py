"""The options and shapes that the verbs share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from rules.syntax.complaint import Complaint

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
