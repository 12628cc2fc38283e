"""A hold is released by another person, on facts looked up anew; what follows happens once."""

from __future__ import annotations

import pytest

from guard.errors import ReleaseRefused
from kernel.clock import FrozenClock
from kernel.database import Database
from tests.guard.builders import (
    ADMIN_ID,
    GUARD_ID,
    MAILBOX_ID,
)
from tests.guard.holds.asked import (
    ANNA,
    APPROVAL,
    VIP_ADDRESS,
    ask,
    guarded,
    holds_of,
    release,
)


async def test_an_edit_that_is_held_is_parked_and_its_answer_names_the_hold(
    database: Database, clock: FrozenClock
) -> None:
    guard = guarded(database, clock)
    answer = await ask(guard, VIP_ADDRESS)
    (hold,) = holds_of(guard)
    assert answer.body["hold_id"] == hold["id"]
    assert (hold["state"], hold["release"], hold["rules"]) == ("open", "write", ["vip/address"])
    assert hold["address"] == {"before": "anna@contoso.com", "after": "vip@contoso.com"}


async def test_what_was_released_is_written_by_the_guard_and_known_good(
    database: Database, clock: FrozenClock
) -> None:
    guard = guarded(database, clock)
    hold_id = (await ask(guard, VIP_ADDRESS)).body["hold_id"]
    await release(guard, hold_id)
    (written,) = guard.receiver.rows.written
    assert (written.record_id, written.columns) == (MAILBOX_ID, VIP_ADDRESS)
    (hold,) = holds_of(guard)
    assert hold["state"] == "applied"
    copy = await guard.receiver.ledger.mirrored("mailbox", MAILBOX_ID)
    assert copy.good["emailaddress"]
    assert copy.columns["emailaddress"] == "vip@contoso.com"
    # What comes back of it is our own write, and nothing is a bypass.
    back = await guard.deliver(VIP_ADDRESS, mode=1, actor=GUARD_ID, tag=written.tag)
    assert back.body["cause"] == "own-write"
    found = await guard.reconciler.run()
    assert (found.judged, found.refused) == (0, 0)
    assert guard.is_whole()


async def test_an_approval_gets_a_pass_that_lets_the_same_edit_through_once(
    database: Database, clock: FrozenClock
) -> None:
    guard = guarded(database, clock)
    hold_id = (await ask(guard, APPROVAL, actor=ADMIN_ID)).body["hold_id"]
    shown = await release(guard, hold_id)
    assert (shown["state"], shown["release"]) == ("approved", "pass")
    assert guard.receiver.rows.written == []
    through = await guard.deliver(APPROVAL, actor=ADMIN_ID)
    assert (through.status, through.body["decision"]) == (200, "allow")
    (hold,) = holds_of(guard)
    assert (hold["state"], hold["settled_by"]) == ("used", through.body["decision_id"])
    again = await guard.deliver(APPROVAL, actor=ADMIN_ID)
    assert again.status == 403
    assert again.body["hold_id"] != hold_id
    assert guard.is_whole()


async def test_nobody_releases_their_own(database: Database, clock: FrozenClock) -> None:
    guard = guarded(database, clock)
    hold_id = (await ask(guard, VIP_ADDRESS)).body["hold_id"]
    with pytest.raises(ReleaseRefused, match="their own"):
        await release(guard, hold_id, ANNA)
    assert holds_of(guard)[0]["state"] == "open"
