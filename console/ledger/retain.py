"""`decisions mask` and `decisions prune`: what is old goes, by a person's order, provably."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import click

from console.context import open_prepared, settings_of
from console.operator import operator_name
from console.output import Output, counted, emit, output_option
from console.progress import progress
from console.times import PastType
from guard.ledger.retention import Needed, RetentionKind, carry_out, order_of, plan
from kernel.clock import SystemClock
from kernel.principal import Principal, Proof

_DONE = {RetentionKind.MASK: "masked", RetentionKind.PRUNE: "pruned"}


def _ordered(command: Any) -> Any:
    for option in (
        output_option(),
        click.option("--plan", "only_plan", is_flag=True, help="Only say what would be done."),
        click.option("--by", metavar="NAME", help="Who orders it, for the record."),
        click.option("--reason", required=True, help="Why, for the record."),
        click.option(
            "--before", required=True, type=PastType(), help="Decided before then: 400d, or a date."
        ),
    ):
        command = option(command)
    return command


@click.command(
    help="Empty the private parts of old decisions; their records still prove themselves."
)
@_ordered
@click.pass_context
def mask(ctx: click.Context, /, **given: Any) -> int:
    """Exit 0 when done, with how many; what something still hangs on is left and counted."""
    return _carry_out(ctx, RetentionKind.MASK, **given)


@click.command(help="Delete old decisions behind a checkpoint; what follows still proves itself.")
@_ordered
@click.pass_context
def prune(ctx: click.Context, /, **given: Any) -> int:
    """Exit 0 when done, with how many; a chain is cut where a checkpoint states it."""
    return _carry_out(ctx, RetentionKind.PRUNE, **given)


def _carry_out(
    ctx: click.Context,
    kind: RetentionKind,
    before: datetime,
    reason: str,
    by: str | None,
    only_plan: bool,
    outputs: Sequence[Output],
) -> int:
    if not reason.strip():
        raise click.BadParameter("--reason must say why.")
    clock = SystemClock()
    principal = Principal(operator_name(by), Proof.ACCOUNT)
    order = order_of(principal, kind, before, reason=reason.strip(), now=clock.now())
    with open_prepared(settings_of(ctx)) as database:
        planned = database.read_now(lambda c: plan(c, order, now=clock.now()))
        done = 0
        if not only_plan:
            with progress(_DONE[kind]) as advance:
                done = asyncio.run(
                    carry_out(database, clock, order, moved=lambda so_far: advance(so_far, None))
                )
    told = {
        "kind": kind,
        "before": before.isoformat(),
        "planned": planned.concerned,
        "kept": {why.value: count for why, count in planned.kept.items()},
        "done": None if only_plan else done,
    }

    def text() -> str:
        what = counted(planned.concerned if only_plan else done, "decision")
        lines = [f"{what} would be {_DONE[kind]}." if only_plan else f"{what} {_DONE[kind]}."]
        lines += [
            f"  left whole  {count}  {Needed(why).doc}" for why, count in planned.kept.items()
        ]
        return "\n".join(lines)

    emit(outputs, told, text=text)
    return 0
