"""What explains that a row differs from its copy, and what only seems to."""

from __future__ import annotations

import pytest

from guard.ports.rows import StoredRow
from kernel.clock import FrozenClock
from kernel.database import Database
from tests.guard.assembled import AGuard, a_guard
from tests.guard.builders import ADMIN_ID, MAILBOX_ID, OBJECT_ID, USER_ID, choice
from tests.guard.obligations.test_grant import APPROVE

USER_BEFORE = {
    "internalemailaddress": "anna@contoso.com",
    "emailrouteraccessapproval": choice(2),
    "domainname": "anna@contoso.com",
    "azureactivedirectoryobjectid": OBJECT_ID,
}


@pytest.fixture
async def guard(database: Database, clock: FrozenClock) -> AGuard:
    """Anna's mailbox and her user row, both waiting for an approval."""
    guard = a_guard(database, clock)
    guard.receiver.rows.put(
        "systemuser",
        USER_ID,
        internalemailaddress="anna@contoso.com",
        emailrouteraccessapproval=2,
        domainname="anna@contoso.com",
        azureactivedirectoryobjectid=OBJECT_ID,
    )
    await guard.reconciler.run()
    clock.advance(60)
    return guard


def put(guard: AGuard, approval: int, *, mailbox: bool = True, user: bool = True) -> None:
    if mailbox:
        guard.receiver.rows.put("mailbox", MAILBOX_ID, emailrouteraccessapproval=approval)
    if user:
        guard.receiver.rows.put("systemuser", USER_ID, emailrouteraccessapproval=approval)


async def goes_round(guard: AGuard) -> int:
    """Reconcile; return how many rows were refused."""
    found = await guard.reconciler.run()
    guard.receiver.clock.advance(1)
    await guard.carry_out()
    guard.receiver.clock.advance(60)
    return found.refused


async def approved_on_the_mailbox(guard: AGuard) -> None:
    await guard.deliver(APPROVE, actor=ADMIN_ID)
    put(guard, 1)
    await guard.deliver(APPROVE, actor=ADMIN_ID, mode=1)


async def test_an_approval_that_was_copied_without_an_event_is_followed(guard: AGuard) -> None:
    await approved_on_the_mailbox(guard)
    decided = len(guard.decisions())
    for _ in range(5):
        assert await goes_round(guard) == 0
    assert len(guard.decisions()) == decided
    assert not guard.receiver.rows.written
    held = guard.approval()
    assert held is not None
    assert (held.state, held.epoch) == ("approved", 1)


async def test_it_is_not_followed_where_the_other_row_does_not_hold_it(guard: AGuard) -> None:
    await guard.deliver(APPROVE, actor=ADMIN_ID)
    put(guard, 1, mailbox=False)
    assert await goes_round(guard) == 1
    row = await user_row(guard)
    assert row.columns["emailrouteraccessapproval"] == 3


async def test_an_older_approval_does_not_outlive_a_newer_rejection(guard: AGuard) -> None:
    """Approved on the mailbox, rejected on the user, approved again past every step."""
    await approved_on_the_mailbox(guard)
    await goes_round(guard)
    before = USER_BEFORE | {"emailrouteraccessapproval": choice(1)}
    reject = {"emailrouteraccessapproval": choice(3)}
    for mode in (0, 1):
        await guard.deliver(
            reject, table="systemuser", record_id=USER_ID, actor=ADMIN_ID, before=before, mode=mode
        )
        put(guard, 3)
    # Before the mailbox was looked at again, and after that.
    put(guard, 1, mailbox=False)
    assert await goes_round(guard) == 1
    put(guard, 1)
    assert await goes_round(guard) == 2
    assert (await user_row(guard)).columns["emailrouteraccessapproval"] == 3


async def test_a_copied_approval_explains_nothing_else(guard: AGuard) -> None:
    await approved_on_the_mailbox(guard)
    guard.receiver.rows.put("systemuser", USER_ID, internalemailaddress="boss@contoso.com")
    assert await goes_round(guard) == 1
    row = await user_row(guard)
    assert row.columns["internalemailaddress"] == "anna@contoso.com"


async def user_row(guard: AGuard) -> StoredRow:
    row = await guard.receiver.rows.row("systemuser", USER_ID)
    assert row is not None
    return row
