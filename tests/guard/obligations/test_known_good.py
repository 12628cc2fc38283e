"""What a revert takes for the truth: what the guard has read itself, before what it is told."""

from __future__ import annotations

from typing import Any

import pytest

from guard.ports.rows import UserRow
from kernel.clock import FrozenClock
from kernel.database import Database
from tests.guard.assembled import AGuard, a_guard
from tests.guard.builders import MAILBOX_BEFORE, MAILBOX_ID, QUEUE_ID, USER_ID, choice, reference
from tests.guard.obligations.test_revert import CEO, NO_CHANGE, commit, row_of


@pytest.fixture
def guard(database: Database, clock: FrozenClock) -> AGuard:
    return a_guard(database, clock)


def username_pinned() -> Any:
    from rules.load.loader import load_documents

    return load_documents({"p.yaml": NO_CHANGE.replace("COLUMN", "username")})


async def test_a_forged_past_is_not_written(guard: AGuard) -> None:
    """Whoever holds the key says that another address stood there before."""
    await guard.reconciler.run()
    forged = MAILBOX_BEFORE | {"emailaddress": "evil@contoso.com"}
    await commit(guard, **CEO)
    await guard.deliver(CEO, mode=1, before=forged)
    assert row_of(guard)["emailaddress"] == "anna@contoso.com"


async def test_a_past_that_was_allowed_and_read_is_restored(
    guard: AGuard, clock: FrozenClock
) -> None:
    await guard.reconciler.run()
    clock.advance(1)
    renamed = MAILBOX_BEFORE | {"username": "anna"}
    await guard.deliver({"username": "anna"})
    await commit(guard, username="anna")
    await guard.deliver({"username": "anna"}, mode=1)
    both = CEO | {"username": "other"}
    await commit(guard, **both)
    await guard.deliver(both, mode=1, before=renamed)
    row = row_of(guard)
    assert (row["emailaddress"], row["username"]) == ("anna@contoso.com", "anna")


async def test_a_forged_past_does_not_become_the_last_known_good(guard: AGuard) -> None:
    await guard.reconciler.run()
    forged = MAILBOX_BEFORE | {"emailaddress": "evil@contoso.com"}
    await commit(guard, username="anna")
    await guard.deliver({"username": "anna"}, mode=1, before=forged)
    copy = await guard.receiver.ledger.mirrored("mailbox", MAILBOX_ID)
    assert copy is not None
    assert copy.columns["emailaddress"] == "anna@contoso.com"
    assert copy.columns["username"] == "anna"


async def test_what_a_delivery_says_is_not_known_good_before_it_was_read(guard: AGuard) -> None:
    """With the key alone: an edit that the policies allow, and that nobody made."""
    await guard.reconciler.run()
    forged = {"username": "stranger", "incomingemaildeliverymethod": choice(2)}
    for mode in (0, 1):
        answer = await guard.deliver(forged, mode=mode)
        assert answer.body["decision"] == "allow"
    for _ in range(3):
        await guard.reconciler.run()
        await guard.carry_out()
    copy = await guard.receiver.ledger.mirrored("mailbox", MAILBOX_ID)
    assert copy is not None
    assert copy.columns["username"] is None
    assert not guard.receiver.rows.written


@pytest.mark.parametrize(
    "before",
    [
        {"emailaddress": "evil@contoso.com"},
        {"emailaddress": "ceo@contoso.com", "username": "evil"},
        {"emailaddress": None},
    ],
)
@pytest.mark.parametrize("message", ["Update", "Create"])
async def test_what_is_held_by_right_is_no_change_that_could_be_undone(
    guard: AGuard, message: str, before: dict[str, Any]
) -> None:
    """With the key alone: what the row holds by right is called an edit, and that is rejected."""
    await guard.reconciler.run()
    present = {"emailaddress": "anna@contoso.com", "ownerid": reference("systemuser", USER_ID)}
    guard.receiver.rows.users.clear()
    answer = await guard.deliver(
        present, mode=1, message=message, before=MAILBOX_BEFORE | before, actor=QUEUE_ID
    )
    assert answer.body["decision"] == "reject"
    assert not guard.receiver.rows.written


async def test_what_a_scan_holds_back_is_not_replaced_on_a_deliverys_word_either(
    guard: AGuard, clock: FrozenClock
) -> None:
    """A VIP's row is held by every scan, so it is never known good; it was read all the same."""
    vip = {"emailaddress": "vip@contoso.com"}
    guard.receiver.rows.users[USER_ID] = UserRow(USER_ID, "vip@contoso.com")
    await commit(guard, **vip)
    await guard.reconciler.run()
    clock.advance(1)
    forged = MAILBOX_BEFORE | {"emailaddress": "stranger@contoso.com"}
    answer = await guard.deliver(vip, mode=1, before=forged)
    assert answer.body["decision"] == "hold"
    assert row_of(guard)["emailaddress"] == "vip@contoso.com"


@pytest.mark.parametrize("decision", ["reject", "hold"])
async def test_no_approval_is_written_unless_the_row_holds_what_was_refused(
    guard: AGuard, decision: str
) -> None:
    sent = {"emailaddress": "ceo@contoso.com"}
    if decision == "hold":
        guard.receiver.rows.users[USER_ID] = UserRow(USER_ID, "vip@contoso.com")
        sent = {"emailaddress": "vip@contoso.com"}
    answer = await guard.deliver(sent, mode=1)
    assert answer.body["decision"] == decision
    assert not guard.receiver.rows.written


async def test_an_edit_committed_while_the_first_round_read_is_undone_to_what_was_before(
    guard: AGuard, clock: FrozenClock
) -> None:
    await commit(guard, **CEO)
    found = await guard.reconciler.run()
    assert found.failing == 1
    assert not guard.decisions()
    copy = await guard.receiver.ledger.mirrored("mailbox", MAILBOX_ID)
    assert copy is not None
    assert not copy.good
    clock.advance(1)
    await guard.deliver(CEO, mode=1)
    assert row_of(guard)["emailaddress"] == "anna@contoso.com"


async def test_a_rejection_by_who_made_the_edit_beats_what_the_first_round_found_good(
    guard: AGuard, clock: FrozenClock
) -> None:
    """The address is right for the row, but nobody known set it: the delivery comes afterwards."""
    guard.receiver.rows.put("mailbox", MAILBOX_ID, modified_at=clock.now(), username="x")
    await guard.reconciler.run()
    guard.receiver.policies.swap(username_pinned())
    clock.advance(1)
    await guard.deliver({"username": "x"}, mode=1)
    assert row_of(guard)["username"] is None


async def test_a_good_value_is_not_replaced_on_a_deliverys_word_by_one_that_fails(
    guard: AGuard, clock: FrozenClock
) -> None:
    """The row was changed shortly before it was first read, so its delivery may be on its way."""
    guard.receiver.rows.put("mailbox", MAILBOX_ID, modified_at=clock.now())
    await guard.reconciler.run()
    forged = MAILBOX_BEFORE | {"emailaddress": "evil@contoso.com"}
    sent = {"emailaddress": "anna@contoso.com", "emailrouteraccessapproval": choice(1)}
    await guard.deliver(sent, mode=1, before=forged)
    assert row_of(guard)["emailaddress"] == "anna@contoso.com"
    (listed,) = guard.decisions()
    assert [one["state"] for one in listed["obligations"]] == ["needs-person"]
