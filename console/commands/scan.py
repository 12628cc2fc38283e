"""`mailbox-guard scan`: every existing address against every policy of its table."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from console.context import open_prepared, settings_of
from console.output import Output, counted, emit, output_option, table
from kernel.settings import Settings

if TYPE_CHECKING:
    from guard.watch.scan import Applied, BrakePulled, ScannedRow, Scanner
    from kernel.clock import Clock

_NOES = ("fail", "error")


@click.command(help="Check what Dataverse already holds.")
@click.option("--apply", "applies", is_flag=True, help="Grant what passes, withdraw what fails.")
@click.option(
    "--yes-withdraw",
    type=click.IntRange(0),
    metavar="N",
    help="Allow that N approvals are withdrawn at once, after looking at the list.",
)
@click.option(
    "--resume",
    "log_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Keep what was judged in this file, and go on from it after an interruption.",
)
@output_option()
@click.pass_context
def scan(
    ctx: click.Context,
    applies: bool,
    yes_withdraw: int | None,
    log_file: Path | None,
    outputs: Sequence[Output],
) -> int:
    """Exit 1 when anything fails, errs or is not answered, or the brake was pulled."""
    if applies and log_file is not None:
        raise click.UsageError("--apply judges every row anew; it takes no --resume.")
    listed, applied, stopped = asyncio.run(
        _scan(settings_of(ctx), log_file, applies=applies, yes_withdraw=yes_withdraw)
    )
    emit(outputs, listed, text=lambda: _text(listed))
    if stopped is not None:
        raise stopped
    if applied is not None:
        click.echo(
            f"Granted {len(applied.granted)}, withdrew {len(applied.withdrawn)}, "
            f"kept {len(applied.kept)}, left {len(applied.left)}.",
            err=True,
        )
        for record_id, reason in applied.left.items():
            click.echo(f"  left {record_id}: {reason}", err=True)
    broke_off = applied is not None and applied.unanswered is not None
    return 1 if broke_off or any(one["result"] in _NOES for one in listed) else 0


async def judged_rows(settings: Settings) -> list[dict[str, Any]]:
    """Return every existing address as it is judged; nothing is granted or withdrawn."""
    return (await _scan(settings, None, applies=False, yes_withdraw=None))[0]


async def _scan(
    settings: Settings, log_file: Path | None, *, applies: bool, yes_withdraw: int | None
) -> tuple[list[dict[str, Any]], Applied | None, BrakePulled | None]:
    """Return what was judged, what was done about it, and what stopped that."""
    from console.anchoring import Anchoring
    from console.metrics import PrometheusMetrics
    from console.policy_folder import PolicyFolder
    from console.wiring.connections import connect_guard
    from console.wiring.guard import open_guard
    from guard.watch.scan import BrakePulled
    from kernel.clock import SystemClock
    from kernel.failpoints import failpoints_from

    clock = SystemClock()
    policies = PolicyFolder.of(settings, clock)
    with open_prepared(settings) as database:
        connections = connect_guard(settings, clock, failpoints=failpoints_from(settings.failpoint))
        try:
            guard = open_guard(
                settings,
                database,
                clock,
                policies=policies.holder,
                metrics=PrometheusMetrics(),
                connections=connections,
                readiness=lambda: None,
            )
            await guard.introduce()
            if applies:
                await Anchoring(settings, database, clock).look()
                await guard.parts.forgotten.look()
            scanner = guard.parts.scanner
            scanned = await _judged(scanner, log_file, clock)
            applied, stopped = None, None
            if applies:
                try:
                    applied = await scanner.apply(scanned, withdrawals_allowed=yes_withdraw)
                except BrakePulled as brake:
                    stopped = brake
        finally:
            await connections.aclose()
    return [one.listed() for one in scanned], applied, stopped


async def _judged(scanner: Scanner, log_file: Path | None, clock: Clock) -> list[ScannedRow]:
    """Judge every row, with a bar for whoever looks, and a log when one was asked for."""
    from console.progress import progress
    from console.scan_log import read_log, write_log

    done = 0
    with ExitStack() as stack:
        advance = stack.enter_context(progress("Judging addresses"))
        known = read_log(log_file, now=clock.now()) if log_file else {}
        note = stack.enter_context(write_log(log_file, known, clock.now)) if log_file else None

        def seen(row: ScannedRow) -> None:
            nonlocal done
            done += 1
            advance(done, None)
            if note is not None:
                note(row)

        return await scanner.scan(known=known, seen=seen)


def _text(listed: Sequence[dict[str, Any]]) -> str:
    counts = Counter(one["result"] for one in listed)
    told = ", ".join(f"{result} {count}" for result, count in sorted(counts.items()))
    summary = f"{counted(len(listed), 'address', 'addresses')}: {told or 'none'}."
    if not listed:
        return summary
    rows = [
        (
            one["result"],
            one["table"],
            one["address"],
            ", ".join(one["rules"]) or one.get("reason", ""),
            one["record_id"],
        )
        for one in listed
    ]
    return table(("result", "table", "address", "rules", "record"), rows) + "\n" + summary
