"""Decisions as they are made: the newest ones first of all, then whatever comes, oldest first."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any, Final

from guard.ledger.filters import DecisionFilter
from guard.ledger.listing import list_decisions
from kernel.clock import Clock
from kernel.database import Database

EVERY_SECONDS: Final = 1.0
# Processes that decide beside each other may commit in another order than they decided in.
_LATE: Final = timedelta(seconds=60)


async def follow(
    database: Database, clock: Clock, wanted: DecisionFilter, *, newest: int
) -> AsyncIterator[list[dict[str, Any]]]:
    """Yield so many of the newest decisions that are wanted, then each new one, without end."""
    lately = _lately(clock, wanted)
    found, recent = await database.read(
        lambda c: (list_decisions(c, wanted, limit=newest), list_decisions(c, lately, limit=None))
    )
    told = {one["id"] for one in recent}
    while True:
        if found:
            yield found[::-1]
        await clock.sleep(EVERY_SECONDS)
        lately = _lately(clock, wanted)
        recent = await database.read(partial(list_decisions, wanted=lately, limit=None))
        found = [one for one in recent if one["id"] not in told]
        told = {one["id"] for one in recent}


def _lately(clock: Clock, wanted: DecisionFilter) -> DecisionFilter:
    since = clock.now() - _LATE
    return replace(wanted, since=since if wanted.since is None else max(since, wanted.since))
