"""Who writes into the database releases nothing: a word on a hold counts as its act states it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from guard.ledger.parked import HoldState
from guard.ledger.tables import holds
from kernel.clock import FrozenClock
from kernel.database import Database
from kernel.failpoints import failpoint
from tests.conftest import NOON
from tests.guard.builders import ADMIN_ID, CEO_OBJECT_ID
from tests.guard.holds.asked import APPROVAL, ask, guarded, release

FORGED = failpoint("tests.forged-hold", "Somebody else writes into the rows of holds.")


def forge(database: Database, hold_id: str, **values: Any) -> None:
    statement = update(holds).where(holds.c.id == hold_id).values(**values)
    database.write_now(lambda c: c.execute(statement), failpoint=FORGED)


async def test_a_hold_that_the_database_alone_calls_released_lets_nothing_through(
    database: Database, clock: FrozenClock
) -> None:
    guard = guarded(database, clock)
    hold_id = (await ask(guard, APPROVAL, actor=ADMIN_ID)).body["hold_id"]
    forge(
        database,
        hold_id,
        state=HoldState.APPROVED,
        answered_at=NOON,
        answered_by="Chief",
        answered_object_id=CEO_OBJECT_ID,
        reason="It is right.",
        release_decision_id=hold_id,
        usable_until=NOON + timedelta(hours=1),
    )
    assert (await guard.deliver(APPROVAL, actor=ADMIN_ID)).status == 403


@pytest.mark.parametrize(
    "altered",
    [
        {"reason": "Another reason."},
        {"answered_object_id": "99999999-9999-4999-8999-999999999999"},
        {"usable_until": NOON + timedelta(days=30)},
        {"rules": ["vip/approval", "forbidden/never"]},
    ],
    ids=lambda altered: next(iter(altered)),
)
async def test_a_released_hold_that_was_altered_lets_nothing_through(
    database: Database, clock: FrozenClock, altered: dict[str, Any]
) -> None:
    guard = guarded(database, clock)
    hold_id = (await ask(guard, APPROVAL, actor=ADMIN_ID)).body["hold_id"]
    await release(guard, hold_id)
    forge(database, hold_id, **altered)
    assert (await guard.deliver(APPROVAL, actor=ADMIN_ID)).status == 403


async def test_one_that_nobody_altered_lets_its_edit_through(
    database: Database, clock: FrozenClock
) -> None:
    guard = guarded(database, clock)
    await release(guard, (await ask(guard, APPROVAL, actor=ADMIN_ID)).body["hold_id"])
    assert (await guard.deliver(APPROVAL, actor=ADMIN_ID)).status == 200
