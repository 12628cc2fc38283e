"""What the guard saw itself never waits for what deliveries owe: anybody may have the webhook key.

The share of requests on which the latter draw is used up here, as forged deliveries use it up.
"""

from __future__ import annotations

import uuid

import pytest

from guard.ports.rows import MemoryRows, Myself
from kernel.clock import FrozenClock
from kernel.database import Database
from kernel.tasks import OPEN_STATES, list_states
from tests.guard.assembled import AGuard, a_guard
from tests.guard.builders import GUARD_ID, MAILBOX_ID, ORGANIZATION, body

CEO = {"emailaddress": "ceo@contoso.com"}
FORGED = [str(uuid.UUID(int=number)) for number in range(1, 31)]


@pytest.fixture
def common(clock: FrozenClock) -> MemoryRows:
    return MemoryRows(
        Myself(ORGANIZATION, GUARD_ID), clock, is_down=True, down_because="The share is used up."
    )


@pytest.fixture
async def guard(database: Database, clock: FrozenClock, common: MemoryRows) -> AGuard:
    guard = a_guard(database, clock, common=common)
    await guard.reconciler.run()
    clock.advance(60)
    return guard


async def rejections_are_forged(guard: AGuard) -> None:
    for record_id in FORGED:
        await guard.receiver.post(body(CEO, mode=1, record_id=record_id))
    await guard.parts.workers.run_due()


def open_tasks(guard: AGuard) -> int:
    return len(guard.database.read_now(lambda c: list_states(c, states=OPEN_STATES)))


async def test_a_bypass_is_reverted_while_what_deliveries_owe_waits(guard: AGuard) -> None:
    await rejections_are_forged(guard)
    guard.receiver.rows.put("mailbox", MAILBOX_ID, **CEO)
    assert (await guard.reconciler.run()).refused == 1
    guard.receiver.rows.asked.clear()
    await guard.parts.seen_workers.run_due()
    assert [one.record_id for one in guard.receiver.rows.written] == [MAILBOX_ID]
    assert open_tasks(guard) == len(FORGED)
    # Not even to count what the brake counts is a row of theirs read.
    assert not [one for one in guard.receiver.rows.asked if any(each in one for each in FORGED)]


async def test_a_rejection_that_was_forged_beforehand_keeps_no_bypass_waiting(
    guard: AGuard,
) -> None:
    await guard.receiver.post(body(CEO, mode=1))
    await guard.parts.workers.run_due()
    guard.receiver.rows.put("mailbox", MAILBOX_ID, **CEO)
    # It was refused already, so it isn't decided again; what that owes is now seen to be owed.
    assert (await guard.reconciler.run()).judged == 0
    await guard.parts.seen_workers.run_due()
    assert [one.record_id for one in guard.receiver.rows.written] == [MAILBOX_ID]
    assert open_tasks(guard) == 0


async def test_many_that_were_seen_to_stand_stop_at_the_brake_in_their_lane_too(
    guard: AGuard,
) -> None:
    for record_id in FORGED:
        guard.receiver.rows.put("mailbox", record_id, **CEO, statecode=0)
        await guard.receiver.post(body(CEO, mode=1, record_id=record_id))
    await guard.reconciler.run()
    await guard.parts.seen_workers.run_due()
    assert not guard.receiver.rows.written


async def test_rows_that_deliveries_tell_of_are_read_from_what_they_may_use_up(
    guard: AGuard, common: MemoryRows
) -> None:
    await guard.receiver.post(body({"username": "anna"}, mode=1))
    guard.receiver.rows.asked.clear()
    common.is_down = False
    common.asked.clear()
    await guard.parts.told_reader.read()
    assert common.asked
    assert not guard.receiver.rows.asked
