"""`mailbox-guard serve`: receive webhooks, carry out obligations, watch, and sync."""

from __future__ import annotations

import asyncio

import click

from console.context import open_prepared, settings_of, sqlite_file
from kernel.errors import SettingInvalid
from kernel.settings import PREFIX, Settings


@click.command(help="Receive webhooks, watch, and sync.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", default=8080, show_default=True, type=click.IntRange(0, 65535), help="Port; 0 = any."
)
@click.option("--no-sync", is_flag=True, help="Leave the sync loop to another process.")
@click.pass_context
def serve(ctx: click.Context, host: str, port: int, no_sync: bool) -> None:
    """Serve until interrupted."""
    from guard.webhook_keys import MAKE_ONE, refuse_guessable

    settings = settings_of(ctx, stays=True)
    if not settings.webhook_keys:
        raise SettingInvalid(
            f"{PREFIX}WEBHOOK_KEYS is not set, so no delivery could be authenticated.",
            hint=f"Make one, and give Dataverse's service endpoint the same: {MAKE_ONE}",
        )
    refuse_guessable(key.reveal() for key in settings.webhook_keys)
    from console.serving import run

    run(_serve(settings, host, port, syncs=not no_sync))


async def _serve(settings: Settings, host: str, port: int, *, syncs: bool) -> None:
    from contextlib import ExitStack

    from console.locks import exclusive
    from console.policy_folder import PolicyFolder
    from console.serving import Serving, listen, stop_on_signals
    from console.wiring.connections import is_configured
    from console.wiring.live import Live
    from kernel.clock import SystemClock

    clock = SystemClock()
    policies = PolicyFolder.of(settings, clock)
    reaches_cloud = is_configured(settings)
    with ExitStack() as stack:
        stack.enter_context(exclusive(sqlite_file(settings), "serve"))
        if syncs and reaches_cloud:
            stack.enter_context(exclusive(sqlite_file(settings), "loop"))
        sock = listen(host, port)
        stack.callback(sock.close)
        database = stack.enter_context(open_prepared(settings))
        live = Live(settings, database, clock, policies, syncs=syncs and reaches_cloud)
        stop = asyncio.Event()
        stop_on_signals(stop)
        live.reload_on_hangup()

        async def ready() -> None:
            await live.start()
            bound = sock.getsockname()
            click.echo(f"Mailbox Guard listens on http://{bound[0]}:{bound[1]}.", err=True)
            if live.link is None:
                click.echo(f"Console: {settings.console_url}", err=True)
            else:
                # The link is for this machine, whatever else is listened on.
                here = f"http://{'[::1]' if ':' in bound[0] else '127.0.0.1'}:{bound[1]}"
                click.echo(f"Console, once and for ten minutes: {here}{live.link.make()}", err=True)
            if not reaches_cloud:
                click.echo(
                    "Neither Dataverse nor Graph is configured: facts are missing, nothing is "
                    "granted, nothing is synced.",
                    err=True,
                )
            elif not settings.delegated_approver_role_id:
                click.echo(
                    f"{PREFIX}DELEGATED_APPROVER_ROLE_ID is not set: where Dataverse does not tell "
                    "a role's template, nobody who has to be a Delegated Mailbox Approver can be "
                    "judged, and is refused. docs/dataverse-setup.md says how to find the id.",
                    err=True,
                )

        try:
            await Serving(live.application, sock).run_until(stop, ready)
        finally:
            await live.stop()
