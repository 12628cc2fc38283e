"""`mailbox-guard exceptions`: which there are, when they end, and a draft for a refused change."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from console.output import Output, emit, output_option, table
from console.policy.options import folder_options, taken
from console.times import SpanType


@click.group(help="List and draft exceptions.")
def exceptions() -> None:
    """Group the commands."""


@exceptions.command(
    name="list", help="List the exceptions of a policy folder, the next to end first."
)
@folder_options
@click.option("--expiring", type=SpanType(), help="Only those that end within that time, or ended.")
@output_option()
def list_command(
    folder: Path | None,
    environment: str | None,
    expiring: timedelta | None,
    outputs: Sequence[Output],
) -> None:
    """Print name, policy, rules, end, ticket and approver."""
    from console.readings.exceptions import list_exceptions
    from kernel.clock import SystemClock
    from rules.load.loader import load

    found = list_exceptions(
        load(taken(folder), environment=environment), now=SystemClock().now(), expiring=expiring
    )
    emit(outputs, found, text=lambda: _text(found))


def _text(found: Sequence[dict[str, Any]]) -> str:
    if not found:
        return "No exception fits."
    columns = ("expires", "left", "name", "policy", "rules", "ticket", "approved by", "file")
    rows = [
        (
            one["expires"],
            f"{one['days_left']} d" if one["state"] == "current" else one["state"],
            one["name"],
            one["policy"],
            ", ".join(one["rules"]),
            one["ticket"],
            one["approved_by"],
            one["file"],
        )
        for one in found
    ]
    return table(columns, rows)


@exceptions.command(help="Draft exceptions that would have let a recorded change pass.")
@click.argument("decision_id", metavar="DECISION")
@click.option("--reason", default="", help="Why it is right to let this pass.")
@click.option("--ticket", default="", help="Where it was asked for.")
@click.option("--approved-by", default="", help="Who approved it.")
@click.pass_context
def draft(ctx: click.Context, decision_id: str, reason: str, ticket: str, approved_by: str) -> int:
    """Print a file for each policy; it loads once a person has filled in what stands empty.

    Exit 1 when no rule refused the change: an error cannot be excepted.
    """
    from console.context import open_prepared, settings_of
    from console.drafts import exception_texts, recorded_change
    from console.readings.edit import edit_of
    from kernel.clock import SystemClock
    from rules.load.loader import catalogue_of

    settings = settings_of(ctx)
    with open_prepared(settings) as database:
        past = database.read_now(lambda c: recorded_change(c, decision_id))
        names = database.read_now(lambda c: edit_of(c, past.id)["names"])
    drafts = exception_texts(
        past,
        catalogue_of(settings.policies_dir),
        now=SystemClock().now(),
        words={"reason": reason, "ticket": ticket, "approvedBy": approved_by},
        names=names,
    )
    for file, text in drafts.items():
        click.echo(f"# {file}\n{text}", nl=False)
    if not drafts:
        click.echo(f"No rule refused the change of decision {decision_id}.", err=True)
    return 0 if drafts else 1
