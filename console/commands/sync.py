"""`mailbox-guard sync run`: the sync loop alone, or one full pass."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import click

from console.context import open_prepared, settings_of, sqlite_file
from console.output import Output, emit, output_option
from kernel.clock import SystemClock
from kernel.settings import Settings

POLICIES_SECONDS = 1.0


@click.group(help="Run the sync loop alone.")
def sync() -> None:
    """Group the sync commands."""


@sync.command(help="Sync approved mailboxes until interrupted, or once.")
@click.option("--once", is_flag=True, help="Bring every approved mailbox up to date, then end.")
@output_option()
@click.pass_context
def run(ctx: click.Context, once: bool, outputs: Sequence[Output]) -> int:
    """Exit 0 after a clean pass, 1 when something is quarantined or unresolved."""
    settings = settings_of(ctx, stays=not once)
    if not once:
        asyncio.run(_loop(settings))
        return 0
    report = asyncio.run(_once(settings))
    emit(outputs, report, text=lambda: _text(report))
    return 1 if report["problems"] else 0


async def _once(settings: Settings) -> dict[str, Any]:
    from console.anchoring import Anchoring
    from console.policy_folder import PolicyFolder
    from console.wiring.sync import sync_alone
    from sync.engine.holder import ONCE
    from sync.run.once import once

    clock = SystemClock()
    policies = PolicyFolder.of(settings, clock)
    with open_prepared(settings) as database:
        await Anchoring(settings, database, clock).look()
        async with sync_alone(settings, database, clock, role=ONCE, policies=policies) as opened:
            report = await once(opened)
    return report.to_json()


async def _loop(settings: Settings) -> None:
    from console.anchoring import ANCHOR_SECONDS, Anchoring
    from console.locks import exclusive
    from console.policy_folder import PolicyFolder
    from console.serving import stop_on_signals
    from console.wiring.readiness import SCHEMA_SECONDS, Readiness
    from console.wiring.sync import sync_alone
    from kernel.periodic import AsyncioRunner
    from sync.engine.holder import LOOP
    from sync.run.loop import Loop

    clock = SystemClock()
    policies = PolicyFolder.of(settings, clock)
    with exclusive(sqlite_file(settings), "loop"), open_prepared(settings) as database:
        stop = asyncio.Event()
        stop_on_signals(stop)
        anchoring = Anchoring(settings, database, clock)
        await anchoring.look()
        async with sync_alone(settings, database, clock, role=LOOP, policies=policies) as opened:
            readiness, watch = Readiness(database, clock), AsyncioRunner(clock)
            runner, loop = AsyncioRunner(clock, may_call=readiness.is_ready), Loop(opened)
            watch.every(POLICIES_SECONDS, policies.refresh, name="policy folder")
            watch.every(SCHEMA_SECONDS, readiness.look_at_schema, name="schema")
            runner.every(ANCHOR_SECONDS, anchoring.look, name="anchor")
            loop.start(runner)
            click.echo("The sync loop runs; interrupt it to end it.", err=True)
            try:
                await stop.wait()
            finally:
                await asyncio.gather(watch.stop(), runner.stop())
                await loop.stop()


def _text(report: dict[str, Any]) -> str:
    counts = ", ".join(
        f"{name.replace('_', ' ')} {count}" for name, count in report.items() if name != "problems"
    )
    lines = [counts]
    for problem in report["problems"]:
        item = f", item {problem['item_id']}" if problem.get("item_id") else ""
        if problem.get("count", 1) > 1:
            item = f", {problem['count']} items"
        hint = f" {problem['hint']}" if problem.get("hint") else ""
        lines.append(
            f"{problem['kind']}: mailbox {problem['record_id']}{item}: {problem['reason']}{hint}"
        )
    return "\n".join(lines)
