"""`mailbox-guard export`: what others are given to run, printed and never run here."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from console.context import open_readable, settings_of
from kernel.errors import InputRefused
from kernel.settings import Settings

if TYPE_CHECKING:
    from console.exchange.scope import Member


@click.group(help="Print what an administrator runs elsewhere.")
def export() -> None:
    """Group what is printed for other tools."""


@export.command(
    name="exchange-scope",
    help="Print the PowerShell that limits mailbox access to the approved mailboxes.",
)
@click.option("--legacy", is_flag=True, help="Print an application access policy instead.")
@click.option(
    "--service-principal",
    metavar="ID",
    help="Object id of the enterprise application; else the token tells it.",
)
@click.option(
    "--group",
    default="Mailbox Guard approved",
    show_default=True,
    help="Name of the mail-enabled security group of the approved mailboxes.",
)
@click.option(
    "--attribute",
    default="",
    metavar="NAME",
    help="Go by an attribute such as CustomAttribute1, and no group.",
)
@click.option(
    "--value", default="mailbox-guard", show_default=True, help="What the attribute then holds."
)
@click.option(
    "--role",
    "roles",
    multiple=True,
    default=("Application Mail.Read",),
    show_default=True,
    help="Role of Exchange for applications; may be repeated.",
)
@click.pass_context
def exchange_scope(
    ctx: click.Context,
    legacy: bool,
    service_principal: str | None,
    group: str,
    attribute: str,
    value: str,
    roles: tuple[str, ...],
) -> None:
    """The script is printed to be read and run; nothing is sent to Exchange from here."""
    from console.exchange.scope import ExchangeScope, legacy_script, scope_script

    settings = settings_of(ctx)
    client_id = settings.sync_client_id or settings.client_id or settings.managed_identity
    if not client_id:
        raise InputRefused(
            "No application is set whose access could be limited.",
            hint="Set MAILBOX_GUARD_SYNC_CLIENT_ID, or MAILBOX_GUARD_CLIENT_ID without a second.",
        )
    principal = service_principal
    if principal is None and not legacy:
        principal = asyncio.run(_principal_of(settings))
    scope = ExchangeScope(
        client_id=client_id,
        service_principal_id=principal or "",
        members=_approved(settings),
        roles=roles,
        group=group,
        attribute=attribute,
        value=value,
        canary=settings.canary_object_id,
    )
    click.echo(legacy_script(scope) if legacy else scope_script(scope))


def _approved(settings: Settings) -> list[Member]:
    from console.exchange.scope import Member
    from kernel.approvals import list_approved
    from kernel.clock import SystemClock

    with open_readable(settings) as database:
        held = database.read_now(lambda c: list_approved(c, now=SystemClock().now()))
    return [Member(one.address, one.object_id) for one in held]


async def _principal_of(settings: Settings) -> str:
    """Return the object id of the service principal that reads mailboxes, as its token names it.

    Raises InputRefused when the token does not tell, and what Entra raises.
    """
    from console.doctor.installation import claims_of
    from console.wiring.connections import connect_guard, connect_mailboxes
    from kernel.clock import SystemClock

    clock = SystemClock()
    guard = connect_guard(settings, clock)
    reader = connect_mailboxes(settings, clock, guard)
    try:
        token = await reader.tokens.get(reader.scopes[0])
    finally:
        await guard.aclose()
        if reader is not guard:
            await reader.aclose()
    found = claims_of(token).get("oid")
    if not isinstance(found, str) or not found:
        raise InputRefused(
            "The token does not name the service principal.",
            hint="Give --service-principal: the object id of the enterprise application in Entra.",
        )
    return found
