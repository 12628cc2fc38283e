"""`mailbox-guard brakes`: what brakes have stopped, whom it concerns, and the word to go on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from console.context import open_prepared, settings_of
from console.operator import account, by_option
from console.output import Output, emit, output_option, table
from kernel.clock import SystemClock


@click.group(help="See what brakes have stopped, and let it go on.")
def brakes() -> None:
    """Group the commands on brakes."""


@brakes.command(name="list", help="List what brakes have stopped, and which mailboxes rest for it.")
@output_option()
@click.pass_context
def list_command(ctx: click.Context, outputs: Sequence[Output]) -> None:
    """Print each row that a brake is about, with its reason."""
    from console.readings.brakes import list_stops

    with open_prepared(settings_of(ctx)) as database:
        found = database.read_now(list_stops)
    emit(outputs, found, text=lambda: _text(found))


@brakes.command(help="Say whom a brake concerns, and let everything go on that it has stopped.")
@click.argument("name", metavar="NAME")
@by_option
@output_option()
@click.pass_context
def release(ctx: click.Context, name: str, by: str | None, outputs: Sequence[Output]) -> int:
    """Exit 1 when that brake has stopped nothing; what it stops later is counted anew."""
    from console.readings.brakes import release as release_brake
    from kernel.stops import RELEASED

    person, now = account(by), SystemClock().now()
    with open_prepared(settings_of(ctx)) as database:
        found = database.write_now(
            lambda c: release_brake(c, name, by=person, now=now), failpoint=RELEASED
        )
    emit(outputs, found, text=lambda: _text(found))
    if not found:
        click.echo(f"The brake {name} has stopped nothing that waits for a word.", err=True)
        return 1
    click.echo("The guard goes on with these; until it has, their mailboxes rest.", err=True)
    return 0


def _text(found: Sequence[dict[str, Any]]) -> str:
    if not found:
        return "No brake has stopped anything."
    names = ("brake", "table", "subject", "address", "reason", "since", "released")
    return table(
        list(names),
        [
            [("yes" if one[n] else "no") if n == "released" else one[n] for n in names]
            for one in found
        ],
    )
