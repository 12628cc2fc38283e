"""`mailbox-guard holds`: what rules hold, and the word of whoever decides about it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from console.context import open_prepared, open_readable, settings_of
from console.output import Output, emit, output_option, table, word
from kernel.clock import SystemClock
from kernel.errors import GuardError

if TYPE_CHECKING:
    from kernel.clock import Clock
    from kernel.database import Database
    from kernel.principal import Principal
    from kernel.settings import Settings

STATES = (
    "waiting",
    "open",
    "approved",
    "used",
    "applied",
    "refused",
    "expired",
    "superseded",
    "all",
)
_SHOWN = (
    "state", "release", "opened_at", "ends_at", "usable_until", "table", "record_id", "operation",
    "asked", "decision_id", "answered_by", "answered_at", "reason", "release_decision_id",
    "settled_at", "settled_by", "settled_reason",
)  # fmt: skip


@click.group(help="See what rules hold; release or refuse it.")
def holds() -> None:
    """Group the commands on holds."""


@holds.command(name="list", help="List the holds, newest first.")
@click.option(
    "--state",
    type=click.Choice(STATES),
    default="waiting",
    show_default=True,
    help="Those that stand so; waiting are the open ones and those released and not yet done.",
)
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=100, show_default=True, help="How many."
)
@output_option()
@click.pass_context
def list_command(ctx: click.Context, state: str, limit: int, outputs: Sequence[Output]) -> None:
    """Print who asks for what, since when, and when it ends."""
    from guard.holds import list_holds
    from guard.ledger.parked import WAITING, HoldState

    states = WAITING if state == "waiting" else tuple(HoldState)
    if state not in ("waiting", "all"):
        states = (HoldState(state),)
    with open_readable(settings_of(ctx)) as database:
        now = SystemClock().now()
        found = database.read_now(lambda c: list_holds(c, now=now, states=states, limit=limit))
    emit(outputs, found, text=lambda: _list_text(found))


@holds.command(help="Show one hold with all that an approver has to know.")
@click.argument("hold_id", metavar="HOLD")
@output_option()
@click.pass_context
def show(ctx: click.Context, hold_id: str, outputs: Sequence[Output]) -> None:
    """Print who asks, what changes, which rules hold it and whose the address is in Entra."""
    from console.policy_folder import PolicyFolder
    from guard.holds import show_hold

    settings = settings_of(ctx)
    policies = PolicyFolder.of(settings, SystemClock()).holder.current
    with open_readable(settings) as database:
        now = SystemClock().now()
        found = database.read_now(lambda c: show_hold(c, hold_id, now=now, policy_set=policies))
    emit(outputs, found, text=lambda: _show_text(found))


@holds.command(help="Release a hold, as somebody else than who asked for it.")
@click.argument("hold_id", metavar="HOLD")
@click.option("--reason", required=True, help="Why; it is recorded.")
@output_option()
@click.pass_context
def approve(ctx: click.Context, hold_id: str, reason: str, outputs: Sequence[Output]) -> int:
    """Sign in with Entra by a code first. Exit 1 when the rules reject the change by now."""
    from console.wiring.sign_in import sign_in_for_command

    settings, clock = settings_of(ctx), SystemClock()
    principal = sign_in_for_command(settings, clock, tell=lambda told: click.echo(told, err=True))
    with open_prepared(settings) as database:
        found = asyncio.run(_approve(settings, clock, database, hold_id, principal, reason))
    emit(outputs, found, text=lambda: _show_text(found))
    click.echo(_released(found), err=True)
    return 0 if found["state"] == "approved" else 1


async def _approve(
    settings: Settings,
    clock: Clock,
    database: Database,
    hold_id: str,
    principal: Principal,
    reason: str,
) -> dict[str, Any]:
    from console.metrics import PrometheusMetrics
    from console.policy_folder import PolicyFolder
    from console.wiring.connections import connect_guard
    from console.wiring.guard import open_guard
    from guard.holds import approve as approve_hold
    from kernel.failpoints import failpoints_from

    connections = connect_guard(settings, clock, failpoints=failpoints_from(settings.failpoint))
    try:
        guard = open_guard(
            settings,
            database,
            clock,
            policies=PolicyFolder.of(settings, clock).holder,
            metrics=PrometheusMetrics(),
            connections=connections,
            readiness=lambda: None,
        )
        await guard.introduce()
        found = await approve_hold(guard.parts.means, hold_id, principal, reason=reason)
        await _anchor(settings, clock, database)
        return found
    finally:
        await connections.aclose()


@holds.command(help="Refuse a hold; also one that was released and not used yet.")
@click.argument("hold_id", metavar="HOLD")
@click.option("--reason", required=True, help="Why; it is recorded.")
@click.option(
    "--by",
    metavar="NAME",
    help="Who refuses it; it is recorded. Else asked for, or the name of the account.",
)
@output_option()
@click.pass_context
def refuse(
    ctx: click.Context, hold_id: str, reason: str, by: str | None, outputs: Sequence[Output]
) -> None:
    """Return when nothing that is held there can take effect any more."""
    from console.operator import operator_name
    from guard.holds import refuse as refuse_hold
    from kernel.principal import Principal, Proof

    principal = Principal(operator_name(by), Proof.ACCOUNT)
    settings, clock = settings_of(ctx), SystemClock()

    async def refuse_and_anchor(database: Database) -> dict[str, Any]:
        found = await refuse_hold(database, clock, hold_id, principal, reason=reason)
        await _anchor(settings, clock, database)
        return found

    with open_prepared(settings) as database:
        found = asyncio.run(refuse_and_anchor(database))
    emit(outputs, found, text=lambda: _show_text(found))


async def _anchor(settings: Settings, clock: Clock, database: Database) -> None:
    """Let the word that was given leave the house; where that fails it is said."""
    from console.anchoring import Anchoring

    try:
        await Anchoring(settings, database, clock).look_and_append()
    except GuardError as error:
        click.echo(f"warning: {error.message}", err=True)


def _released(found: Mapping[str, Any]) -> str:
    if found["state"] != "approved":
        return f"The hold is {found['state']}: {found['settled_reason']}"
    until = found["usable_until"]
    if found["release"] == "pass":
        who = _name(found["requester"])
        return f"Made once more by {who} until {until}, the edit is let through."
    return f"The guard writes the columns within moments, if the row is still as it was ({until})."


def _list_text(found: Sequence[Mapping[str, Any]]) -> str:
    if not found:
        return "No such hold."
    head = ("id", "state", "who asks", "table", "address", "rules", "ends")
    rows = [
        [
            one["id"],
            one["state"],
            _name(one["requester"]),
            one["table"],
            word(one["address"]["after"]),
            ", ".join(one["rules"]),
            one["ends_at"],
        ]
        for one in found
    ]
    return table(head, rows)


def _show_text(found: Mapping[str, Any]) -> str:
    lines = [f"hold {found['id']}"]
    lines += [f"{name}: {word(found[name])}" for name in _SHOWN if found[name] is not None]
    lines.append(f"requester: {_person(found['requester'])}")
    if found["on_behalf_by"] is not None:
        lines.append(f"made in their name by: {_person(found['on_behalf_by'])}")
    lines.append("changes:")
    lines += [
        f"  {name}: {word(found['before'][name])} -> {word(found['after'][name])}"
        for name in found["altered"]
    ]
    lines.append("held by:")
    lines += [f"  {rule}" for rule in found["rules"]]
    lines += [f'  "{one["message"]}"' for one in found["findings"] if one["effect"] == "hold"]
    if found["evidence"]:
        lines.append("looked up:")
        lines += [f"  {path}: {word(value)}" for path, value in sorted(found["evidence"].items())]
    for one in found.get("approvers", ()):
        who = [*one["approvers"], *(f"the Entra role {role}" for role in one["entra_roles"])]
        told = "any approver" if one["anybody"] else ", ".join(who)
        lines.append(f"may release {one['rule']}: {told}")
    return "\n".join(lines)


def _person(one: Mapping[str, Any]) -> str:
    known = [text for text in (one["name"], one["upn"], one["id"]) if text]
    object_id = one["object_id"]
    return f"{', '.join(known)} (Entra object {object_id or 'not known: nobody may release this'})"


def _name(one: Mapping[str, Any]) -> str:
    return str(one["upn"] or one["name"] or one["id"])
