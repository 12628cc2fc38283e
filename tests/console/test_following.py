"""Decisions are told as they are made, each once."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import replace

from console.following import follow
from guard.ledger.entry import Entry
from guard.ledger.filters import DecisionFilter
from guard.ledger.stored import StoredLedger
from kernel.clock import FrozenClock
from kernel.database import Database
from kernel.ids import new_id


def an_entry(clock: FrozenClock) -> Entry:
    return Entry(
        id=new_id(clock.now()),
        decided_at=clock.now(),
        decision="allow",
        cause="rules",
        table="mailbox",
        record_id="11111111-1111-4111-8111-111111111111",
        status=200,
        key=None,
        public={"operation": "update", "mode": 0, "stage": 20},
        private={"before": {}, "altered": {}},
    )


async def test_what_is_decided_meanwhile_is_told_once_and_oldest_first(
    guard_database: Database, clock: FrozenClock
) -> None:
    ledger = StoredLedger(guard_database, clock)
    old, newest = an_entry(clock), an_entry(clock)
    await ledger.record(old)
    await ledger.record(newest)
    told = follow(guard_database, clock, DecisionFilter(), newest=1)
    async with aclosing(told):
        assert [one["id"] for one in await anext(told)] == [newest.id]
        later = [an_entry(clock) for _ in range(2)]
        for entry in later:
            await ledger.record(entry)
        assert [one["id"] for one in await anext(told)] == [entry.id for entry in later]
        # Decided before, committed late by another process.
        late = replace(an_entry(clock), decided_at=clock.now())
        await ledger.record(late)
        assert [one["id"] for one in await anext(told)] == [late.id]


async def test_a_filter_holds_for_what_is_followed(
    guard_database: Database, clock: FrozenClock
) -> None:
    ledger = StoredLedger(guard_database, clock)
    await ledger.record(an_entry(clock))
    told = follow(guard_database, clock, DecisionFilter(decision="reject"), newest=5)
    async with aclosing(told):
        await ledger.record(an_entry(clock))
        rejected = replace(an_entry(clock), decision="reject")
        await ledger.record(rejected)
        assert [one["id"] for one in await anext(told)] == [rejected.id]
