"""`mailbox-guard mailboxes`: what is held of each mailbox, and what people may tell it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import click

from console.context import open_prepared, open_readable, settings_of
from console.operator import account, by_option
from console.output import Output, emit, output_option, table, word
from kernel.clock import SystemClock
from kernel.database import Database
from kernel.errors import GuardError


@click.group(help="See and steer the mailboxes.")
def mailboxes() -> None:
    """Group the commands on mailboxes."""


@mailboxes.command(
    name="list", help="List every mailbox that was ever approved, or refused with a reason."
)
@output_option()
@click.pass_context
def list_command(ctx: click.Context, outputs: Sequence[Output]) -> None:
    """Print approval, epoch, state and freshness of each."""
    from sync.operate.mailboxes import list_mailboxes

    with open_readable(settings_of(ctx)) as database:
        found = database.read_now(lambda c: list_mailboxes(c, now=SystemClock().now()))
    emit(outputs, found, text=lambda: _list_text(found))


def _list_text(found: Sequence[dict[str, Any]]) -> str:
    if not found:
        return "No mailbox was ever approved or refused."
    names = ("address", "approved", "epoch", "state", "reason", "fresh_as_of", "id")
    return table(
        [name.replace("_", " ") for name in names],
        [[word(one[name]) for name in names] for one in found],
    )


@mailboxes.command(help="Show one mailbox with its evidence, tasks and newest accesses.")
@click.argument("record_id", metavar="MAILBOX")
@output_option()
@click.pass_context
def show(ctx: click.Context, record_id: str, outputs: Sequence[Output]) -> None:
    """Print everything that is held of the mailbox."""
    from sync.operate.mailboxes import show_mailbox

    with open_readable(settings_of(ctx)) as database:
        found = database.read_now(lambda c: show_mailbox(c, record_id, now=SystemClock().now()))
    emit(outputs, found, text=lambda: _show_text(found))


def _show_text(found: dict[str, Any]) -> str:
    lines: list[str] = []
    for name, value in found.items():
        if isinstance(value, list):
            lines.append(f"{name}: {len(value)}")
            for one in value:
                parts = (f"{key} {word(item)}" for key, item in one.items() if item is not None)
                lines.append("  " + ", ".join(parts))
        elif isinstance(value, dict):
            lines.append(f"{name}:")
            lines += [f"  {key}: {word(item)}" for key, item in value.items()]
        else:
            lines.append(f"{name}: {word(value)}")
    return "\n".join(lines)


@mailboxes.command(help="Let a mailbox rest until it is resumed.")
@click.argument("record_id", metavar="MAILBOX")
@click.option("--reason", default="Paused by an operator.", show_default=True, help="Why.")
@by_option
@click.pass_context
def pause(ctx: click.Context, record_id: str, reason: str, by: str | None) -> None:
    """Return when no further access can begin."""
    from sync.operate.mailboxes import pause as pause_mailbox

    person = account(by)
    with open_prepared(settings_of(ctx)) as database:
        asyncio.run(pause_mailbox(database, SystemClock(), record_id, by=person, reason=reason))
    click.echo(f"Mailbox {record_id} is paused.")


@mailboxes.command(help="End a pause or a brake, and try again what is set aside or has stopped.")
@click.argument("record_id", metavar="MAILBOX")
@by_option
@click.pass_context
def resume(ctx: click.Context, record_id: str, by: str | None) -> None:
    """Let the mailbox be synced again, if it is approved."""
    from sync.operate.mailboxes import resume as resume_mailbox

    person = account(by)
    with open_prepared(settings_of(ctx)) as database:
        is_approved = asyncio.run(resume_mailbox(database, SystemClock(), record_id, by=person))
    text = f"Mailbox {record_id} is resumed"
    if not is_approved:
        text += ", but it is not approved all the same: it is not synced"
    click.echo(f"{text}.")


def _written(ctx: click.Context, parameter: click.Parameter, text: str) -> str:
    """Return the text without blanks around it; one that says nothing is wrong usage."""
    if not text.strip():
        raise click.BadParameter("It is blank: say why in a few words.")
    return text.strip()


@mailboxes.command(help="Withdraw the approval of a mailbox.")
@click.argument("record_id", metavar="MAILBOX")
@click.option("--reason", required=True, callback=_written, help="Why; it is recorded.")
@click.option(
    "--by",
    metavar="NAME",
    help="Who withdraws it; it is recorded. Else asked for, or the name of the account.",
)
@click.pass_context
def withdraw(ctx: click.Context, record_id: str, reason: str, by: str | None) -> int:
    """Return when no further access can begin; exit 1 when the mailbox was not approved."""
    from console.anchoring import Anchoring
    from console.operator import operator_name
    from sync.operate.mailboxes import withdraw as withdraw_mailbox

    name, settings, clock = operator_name(by), settings_of(ctx), SystemClock()

    async def withdraw_and_anchor(database: Database) -> bool:
        # What the newest anchor states of an older database must not be overwritten by ours.
        anchoring = Anchoring(settings, database, clock)
        await anchoring.look()
        was_approved = await withdraw_mailbox(database, clock, record_id, by=name, reason=reason)
        try:
            await anchoring.look_and_append()
        except GuardError as error:
            click.echo(f"warning: {error.message}", err=True)
        return was_approved

    with open_prepared(settings) as database:
        done = asyncio.run(withdraw_and_anchor(database))
    if not done:
        click.echo(
            f"Mailbox {record_id} was not approved. That {name} withdrew it is remembered: only a "
            "newer approval in Dataverse ends that."
        )
        return 1
    click.echo(f"Mailbox {record_id} is withdrawn; no further access can begin.")
    return 0
