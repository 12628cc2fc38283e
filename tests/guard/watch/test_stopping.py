"""What a brake of the reconciliation stops rests at once, until a person lets it go on."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest

from kernel import approvals, stops
from kernel.clock import FrozenClock
from kernel.database import Database
from kernel.errors import ApprovalRests
from tests.guard.assembled import AGuard, a_guard
from tests.guard.builders import MAILBOX_ID, OBJECT_ID, USER_ID

CEO = {"emailaddress": "ceo@contoso.com"}


@pytest.fixture
async def guard(database: Database, clock: FrozenClock) -> AGuard:
    guard = a_guard(database, clock)
    await guard.reconciler.run()
    clock.advance(60)
    return guard


async def test_too_many_refusals_stop_before_the_first_write(
    guard: AGuard, clock: FrozenClock
) -> None:
    ids = [str(uuid.uuid4()) for _ in range(25)]
    for record_id in ids:
        guard.receiver.rows.put("mailbox", record_id, emailaddress="anna@contoso.com")
    guard.database.write_now(forget_baseline, failpoint="guard.baseline")
    await guard.reconciler.run()
    for record_id in ids[:21]:
        guard.receiver.rows.put("mailbox", record_id, **CEO, ownerid__id=USER_ID)
    for record_id in (ids[0], ids[-1]):
        hold(guard, record_id)
    result = await guard.reconciler.run()
    assert result.brake is not None
    assert not guard.decisions()
    # What the brake stops are writes: the approvals that it concerns rest at once.
    assert not may_reach(guard, ids[0])
    assert may_reach(guard, ids[-1])
    assert {one.subject for one in stopped(guard)} == set(ids[:21])
    before = stopped(guard)
    assert (await guard.reconciler.run()).brake is not None
    assert stopped(guard) == before
    # A person's word is about exactly these; one that was set right meanwhile is not among them.
    guard.receiver.rows.put("mailbox", ids[1], emailaddress="anna@contoso.com", ownerid__id=None)
    now = clock.now()
    guard.database.write_now(
        lambda c: stops.release(c, "guard.refused", now=now), failpoint=stops.RELEASED
    )
    assert not may_reach(guard, ids[0])
    result = await guard.reconciler.run()
    assert (result.brake, result.refused) == (None, 20)
    assert stopped(guard) == []
    held = guard.approval(ids[0])
    assert held is not None
    assert held.state == "withdrawn"


async def test_an_owner_whose_row_a_brake_stops_has_the_mailbox_rest(
    guard: AGuard, clock: FrozenClock
) -> None:
    ids = [str(uuid.uuid4()) for _ in range(22)]
    for record_id in ids:
        guard.receiver.rows.put("queue", record_id, emailaddress="support@contoso.com")
    guard.database.write_now(forget_baseline, failpoint="guard.baseline")
    await guard.reconciler.run()
    hold(guard, MAILBOX_ID, owner_id=ids[3])
    for record_id in ids:
        guard.receiver.rows.put("queue", record_id, emailaddress="vip@contoso.com")
    assert (await guard.reconciler.run()).brake is not None
    assert not may_reach(guard, MAILBOX_ID)


async def test_rows_that_vanish_in_masses_have_their_approvals_rest(
    guard: AGuard, clock: FrozenClock
) -> None:
    ids = [str(uuid.uuid4()) for _ in range(21)]
    for record_id in ids:
        guard.receiver.rows.put("mailbox", record_id, emailaddress="anna@contoso.com")
    guard.database.write_now(forget_baseline, failpoint="guard.baseline")
    await guard.reconciler.run()
    hold(guard, ids[0])
    for record_id in ids:
        guard.receiver.rows.remove("mailbox", record_id)
    result = await guard.reconciler.run()
    assert (result.gone, result.brake is None) == (0, False)
    assert not may_reach(guard, ids[0])
    guard.database.write_now(
        lambda c: stops.release(c, "guard.gone", now=clock.now()), failpoint=stops.RELEASED
    )
    assert (await guard.reconciler.run()).gone == 21
    held = guard.approval(ids[0])
    assert held is not None
    assert held.state == "withdrawn"


def hold(guard: AGuard, record_id: str, *, owner_id: str = USER_ID) -> None:
    guard.database.write_now(
        lambda c: approvals.grant(
            c,
            record_id=record_id,
            address="anna@contoso.com",
            object_id=OBJECT_ID,
            owner_id=owner_id,
            owner_type="user",
            evidence={},
            now=guard.receiver.clock.now(),
        ),
        failpoint="guard.grant",
    )


def may_reach(guard: AGuard, record_id: str) -> bool:
    held = guard.approval(record_id)
    assert held is not None
    now = guard.receiver.clock.now()
    try:
        guard.database.read_now(
            lambda c: approvals.permit(
                c,
                record_id,
                object_id=held.object_id,
                epoch=held.epoch,
                now=now,
                evidence_max_age=timedelta(hours=1),
            )
        )
    except ApprovalRests:
        return False
    return True


def stopped(guard: AGuard) -> list[stops.Stop]:
    return guard.database.read_now(stops.list_all)


def forget_baseline(connection: Any) -> None:
    from guard.ledger.tables import baselines

    connection.execute(baselines.delete())
