from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from guard.columns.table import MAILBOX
from guard.ledger import people
from guard.ledger.people import KnownUser
from kernel import approvals
from kernel.clock import FrozenClock
from kernel.database import Database
from kernel.errors import Unavailable
from kernel.failpoints import Recorder
from tests.guard.assembled import AGuard, a_guard
from tests.guard.builders import (
    ADMIN_ID,
    MAILBOX_BEFORE,
    MAILBOX_ID,
    OBJECT_ID,
    QUEUE_ID,
    USER_ID,
    body,
    choice,
)
from tests.guard.obligations.test_grant import APPROVE

CEO = {"emailaddress": "ceo@contoso.com"}


@pytest.fixture
async def guard(database: Database, clock: FrozenClock) -> AGuard:
    guard = a_guard(database, clock)
    await guard.reconciler.run()
    clock.advance(60)
    return guard


async def test_the_first_round_judges_every_row_and_decides_nothing(guard: AGuard) -> None:
    assert not guard.decisions()
    copy = await guard.receiver.ledger.mirrored("mailbox", MAILBOX_ID)
    assert copy is not None
    assert copy.columns["emailaddress"] == "anna@contoso.com"
    assert set(copy.good) == set(MAILBOX.flat)


async def test_people_are_known_by_name_and_sign_in_name_and_found_by_either(
    database: Database, clock: FrozenClock
) -> None:
    guard = a_guard(database, clock)
    anna = {"fullname": "Anna Example", "domainname": "anna@contoso.com"}
    guard.receiver.rows.put("systemuser", USER_ID, **anna)
    guard.receiver.rows.put("systemuser", ADMIN_ID, fullname="\x1b[31mred", domainname="a@b.c")
    await guard.reconciler.run()
    known = database.read_now(lambda c: people.list_people(c, [USER_ID, ADMIN_ID, QUEUE_ID]))
    assert known == {
        USER_ID: KnownUser("Anna Example", "anna@contoso.com"),
        # What would steer a terminal is no name.
        ADMIN_ID: KnownUser(None, "a@b.c"),
    }
    for name in ("anna example", "ANNA@contoso.com", " Anna Example "):
        assert database.read_now(lambda c, n=name: people.find_ids(c, n)) == [USER_ID]
    await guard.deliver(CEO, actor_id=USER_ID)
    [one] = guard.decisions(actor="Anna Example")
    assert one["actor"] == {"id": USER_ID, "name": "Anna Example", "upn": "anna@contoso.com"}


async def test_what_fails_in_the_first_round_is_said_and_is_never_restored(
    database: Database, clock: FrozenClock
) -> None:
    guard = a_guard(database, clock)
    guard.receiver.rows.put("mailbox", MAILBOX_ID, **CEO)
    first, second = await guard.reconciler.run(), await guard.reconciler.run()
    assert (first.failing, second.failing) == (1, 0)
    assert not guard.decisions()
    clock.advance(60)
    guard.receiver.rows.put("mailbox", MAILBOX_ID, emailaddress="boss@contoso.com")
    assert (await guard.reconciler.run()).refused == 1
    await guard.carry_out()
    row = await guard.receiver.rows.row("mailbox", MAILBOX_ID)
    assert row is not None
    assert row.columns["emailaddress"] == "boss@contoso.com"
    assert row.columns["emailrouteraccessapproval"] == 3
    for _ in range(5):
        clock.advance(60)
        await guard.reconciler.run()
    assert len(guard.decisions()) == 1


async def test_what_could_not_be_judged_is_judged_once_it_can_be(
    database: Database, clock: FrozenClock
) -> None:
    guard = a_guard(database, clock)
    guard.receiver.directory.is_down = True
    users, guard.receiver.rows.users = guard.receiver.rows.users, {}
    await guard.reconciler.run()
    copy = await guard.receiver.ledger.mirrored("mailbox", MAILBOX_ID)
    assert copy is not None
    assert not copy.good
    guard.receiver.directory.is_down, guard.receiver.rows.users = False, users
    clock.advance(24 * 3600)
    await guard.reconciler.run()
    copy = await guard.receiver.ledger.mirrored("mailbox", MAILBOX_ID)
    assert copy is not None
    assert copy.good


async def test_an_idle_round_writes_nothing(guard: AGuard) -> None:
    trace = Recorder()
    guard.database._writer._failpoints = trace
    result = await guard.reconciler.run()
    assert (result.compared, result.judged, result.adopted) == (1, 0, 0)
    assert not trace.reached


async def test_a_bypass_is_decided_late_and_reverted(guard: AGuard, clock: FrozenClock) -> None:
    guard.receiver.rows.put("mailbox", MAILBOX_ID, **CEO)
    result = await guard.reconciler.run()
    assert (result.judged, result.refused) == (1, 1)
    await guard.carry_out()
    assert guard.receiver.rows.written[0].columns["emailaddress"] == "anna@contoso.com"
    (decision,) = guard.decisions()
    assert (decision["decision"], decision["mode"]) == ("reject", 1)
    assert decision["initiating_user_id"] is None
    assert (await guard.reconciler.run()).judged == 0


async def test_a_bypassed_approval_by_nobody_known_is_refused(guard: AGuard) -> None:
    guard.receiver.rows.put("mailbox", MAILBOX_ID, emailrouteraccessapproval=1)
    await guard.reconciler.run()
    await guard.carry_out()
    row = await guard.receiver.rows.row("mailbox", MAILBOX_ID)
    assert row is not None
    assert row.columns["emailrouteraccessapproval"] == 3
    assert guard.decisions()[0]["cause"] == "error"


async def test_a_harmless_bypass_is_recorded_and_known_from_then_on(guard: AGuard) -> None:
    guard.receiver.rows.put("mailbox", MAILBOX_ID, username="x")
    assert (await guard.reconciler.run()).judged == 1
    assert (await guard.reconciler.run()).judged == 0
    assert len(guard.decisions()) == 1


async def test_what_was_refused_and_needs_a_person_is_not_refused_again(guard: AGuard) -> None:
    guard.receiver.rows.may_write = False
    guard.receiver.rows.put("mailbox", MAILBOX_ID, **CEO)
    await guard.reconciler.run()
    await guard.carry_out()
    assert (await guard.reconciler.run()).judged == 0
    assert len(guard.decisions()) == 1


async def test_what_was_refused_and_mended_is_refused_again_when_it_is_done_again(
    guard: AGuard, clock: FrozenClock
) -> None:
    """A refusal says what is done about one change; its revert done, it is no pass for the next."""
    rows = guard.receiver.rows
    await guard.receiver.post(body({**CEO, "emailrouteraccessapproval": choice(1)}, mode=1))
    # Whoever made it took it back before the revert, past both steps.
    await guard.carry_out()
    assert not rows.written
    for _ in range(2):
        clock.advance(60)
        rows.put("mailbox", MAILBOX_ID, **CEO, emailrouteraccessapproval=1)
        assert (await guard.reconciler.run()).refused == 1
        await guard.carry_out()
        row = await rows.row("mailbox", MAILBOX_ID)
        assert row is not None
        assert row.columns["emailaddress"] == "anna@contoso.com"
        assert row.columns["emailrouteraccessapproval"] == 3


async def test_what_is_refused_is_not_refused_again_while_its_revert_goes_on(
    guard: AGuard, clock: FrozenClock
) -> None:
    guard.receiver.rows.put("mailbox", MAILBOX_ID, **CEO)
    await guard.receiver.post(body(CEO, mode=1))
    for _ in range(2):
        clock.advance(60)
        assert (await guard.reconciler.run()).judged == 0
    assert len(guard.decisions()) == 1


async def test_a_change_that_was_just_allowed_is_no_bypass(guard: AGuard) -> None:
    await guard.deliver({"username": "anna"})
    guard.receiver.rows.put("mailbox", MAILBOX_ID, username="anna")
    result = await guard.reconciler.run()
    assert (result.judged, result.adopted) == (0, 1)


async def test_an_approval_whose_confirmation_was_lost_is_still_granted(guard: AGuard) -> None:
    await guard.deliver(APPROVE, actor=ADMIN_ID)
    guard.receiver.rows.put("mailbox", MAILBOX_ID, emailrouteraccessapproval=1)
    await guard.reconciler.run()
    await guard.carry_out()
    held = guard.approval()
    assert held is not None
    assert (held.state, held.object_id) == ("approved", OBJECT_ID)
    assert held.evidence["approved_by"] == ADMIN_ID


async def test_an_old_permission_explains_nothing(guard: AGuard, clock: FrozenClock) -> None:
    await guard.deliver(APPROVE, actor=ADMIN_ID)
    clock.advance(3600)
    guard.receiver.rows.put("mailbox", MAILBOX_ID, emailrouteraccessapproval=1)
    await guard.reconciler.run()
    assert guard.decisions()[0]["decision"] == "reject"


async def test_a_permission_for_other_values_explains_nothing(guard: AGuard) -> None:
    await guard.deliver({"username": "anna"})
    guard.receiver.rows.put("mailbox", MAILBOX_ID, username="anna", **CEO)
    assert (await guard.reconciler.run()).refused == 1


async def test_a_row_changed_just_now_waits_for_its_delivery(
    guard: AGuard, clock: FrozenClock
) -> None:
    guard.receiver.rows.put("mailbox", MAILBOX_ID, modified_at=clock.now(), **CEO)
    assert (await guard.reconciler.run()).waiting == 1
    clock.advance(60)
    assert (await guard.reconciler.run()).judged == 1


async def test_a_row_that_is_touched_all_the_time_waits_twice_and_no_more(
    guard: AGuard, clock: FrozenClock
) -> None:
    rounds = []
    for _ in range(4):
        guard.receiver.rows.put("mailbox", MAILBOX_ID, modified_at=clock.now(), **CEO)
        found = await guard.reconciler.run()
        rounds.append((found.waiting, found.judged))
        clock.advance(2)
    assert rounds == [(1, 0), (1, 0), (0, 1), (1, 0)]


@pytest.mark.parametrize("ahead", [-7200, -120, 120, 7200])
async def test_whether_a_row_has_settled_is_told_by_the_clock_of_dataverse(
    guard: AGuard, clock: FrozenClock, ahead: int
) -> None:
    """Ours may be ahead or behind by any amount: one round for the delivery, then it is judged."""
    theirs = FrozenClock(clock.now() - timedelta(seconds=ahead))
    guard.receiver.rows.clock = theirs
    guard.receiver.rows.put("mailbox", MAILBOX_ID, modified_at=theirs.now(), **CEO)
    rounds = []
    for _ in range(5):
        found = await guard.reconciler.run()
        await guard.carry_out()
        rounds.append((found.waiting, found.judged))
        theirs.advance(6)
        clock.advance(6)
    assert rounds == [(1, 0), (0, 1), (0, 0), (0, 0), (0, 0)]
    row = await guard.receiver.rows.row("mailbox", MAILBOX_ID)
    assert row is not None
    assert row.columns["emailaddress"] == "anna@contoso.com"


async def test_a_page_that_is_older_than_the_copy_is_no_bypass(
    guard: AGuard, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = guard.receiver.rows
    pages = rows.pages

    async def overtaken(table: str) -> Any:
        async for page in pages(table):
            if table == "mailbox":
                rows.put("mailbox", MAILBOX_ID, username="anna")
                await guard.deliver({"username": "anna"}, mode=1)
            yield page

    monkeypatch.setattr(rows, "pages", overtaken)
    found = await guard.reconciler.run()
    assert (found.judged, found.refused) == (0, 0)
    copy = await guard.receiver.ledger.mirrored("mailbox", MAILBOX_ID)
    assert copy is not None
    assert copy.columns["username"] == "anna"


async def test_two_changes_whose_confirmations_were_lost_are_followed_one_after_the_other(
    guard: AGuard, clock: FrozenClock
) -> None:
    guard.receiver.rows.put("mailbox", MAILBOX_ID, emailrouteraccessapproval=0)
    await guard.reconciler.run()
    first = {"emailrouteraccessapproval": choice(2)}
    empty = MAILBOX_BEFORE | {"emailrouteraccessapproval": choice(0)}
    await guard.deliver(first, actor=ADMIN_ID, before=empty)
    clock.advance(1)
    await guard.deliver(APPROVE, actor=ADMIN_ID)
    guard.receiver.rows.put("mailbox", MAILBOX_ID, emailrouteraccessapproval=1)
    await guard.reconciler.run()
    await guard.carry_out()
    held = guard.approval()
    assert held is not None
    assert held.state == "approved"
    assert not guard.receiver.rows.written


async def test_a_lost_confirmation_of_an_older_change_takes_nothing_from_a_newer_approval(
    database: Database, clock: FrozenClock
) -> None:
    guard = a_guard(database, clock)
    rows = guard.receiver.rows
    rows.put("mailbox", MAILBOX_ID, emailaddress="anna.old@contoso.com")
    await guard.reconciler.run()
    clock.advance(60)
    old = MAILBOX_BEFORE | {"emailaddress": "anna.old@contoso.com"}
    await guard.deliver({"emailaddress": "anna@contoso.com"}, actor=USER_ID, before=old)
    rows.put("mailbox", MAILBOX_ID, emailaddress="anna@contoso.com")
    clock.advance(1)
    await guard.deliver(APPROVE, actor=ADMIN_ID)
    rows.put("mailbox", MAILBOX_ID, emailrouteraccessapproval=1)
    await guard.deliver(APPROVE, actor=ADMIN_ID, mode=1)
    granted = guard.approval()
    assert granted is not None
    assert granted.state == "approved"
    clock.advance(30)
    await guard.reconciler.run()
    await guard.carry_out()
    assert guard.decisions(actor=USER_ID)[0]["confirms"]
    assert guard.approval() == granted
    assert not rows.written


async def test_what_was_allowed_once_is_no_pass_for_doing_it_again(
    guard: AGuard, clock: FrozenClock
) -> None:
    rows = guard.receiver.rows
    await guard.deliver(APPROVE, actor=ADMIN_ID)
    rows.put("mailbox", MAILBOX_ID, emailrouteraccessapproval=1)
    await guard.deliver(APPROVE, actor=ADMIN_ID, mode=1)
    assert (await guard.reconciler.run()).judged == 0
    clock.advance(60)
    rows.put("mailbox", MAILBOX_ID, emailrouteraccessapproval=2)
    await guard.reconciler.run()
    await guard.carry_out()
    clock.advance(60)
    rows.put("mailbox", MAILBOX_ID, emailrouteraccessapproval=1)
    assert (await guard.reconciler.run()).refused == 1


async def test_a_row_created_past_the_guard_is_judged(guard: AGuard) -> None:
    await_ids = {"ownerid__id": USER_ID, "ownerid__type": "systemuser"}
    guard.receiver.rows.put(
        "mailbox", QUEUE_ID, **CEO, emailrouteraccessapproval=1, statecode=0, **await_ids
    )
    result = await guard.reconciler.run()
    assert (result.judged, result.refused) == (1, 1)
    await guard.carry_out()
    row = await guard.receiver.rows.row("mailbox", QUEUE_ID)
    assert row is not None
    assert row.columns["emailrouteraccessapproval"] == 3
    assert row.columns["emailaddress"] == "ceo@contoso.com"
    assert (await guard.reconciler.run()).judged == 0


async def test_a_confirmed_change_is_known_also_out_of_order(guard: AGuard) -> None:
    second = {"username": "second"}
    first = {"username": "first"}
    later, earlier = "/Date(1795435300000)/", "/Date(1795435200000)/"
    before = MAILBOX_BEFORE | first
    guard.receiver.rows.put("mailbox", MAILBOX_ID, username="second")
    await guard.deliver(second | {"modifiedon": later}, mode=1, before=before)
    await guard.deliver(first | {"modifiedon": earlier}, mode=1)
    copy = await guard.receiver.ledger.mirrored("mailbox", MAILBOX_ID)
    assert copy is not None
    assert copy.columns["username"] == "second"


async def test_a_row_that_is_gone_is_forgotten_and_its_approval_withdrawn(
    guard: AGuard, clock: FrozenClock
) -> None:
    guard.database.write_now(
        lambda c: approvals.grant(
            c,
            record_id=MAILBOX_ID,
            address="anna@contoso.com",
            object_id=OBJECT_ID,
            owner_id=USER_ID,
            owner_type="user",
            evidence={},
            now=clock.now(),
        ),
        failpoint="guard.grant",
    )
    guard.receiver.rows.remove("mailbox", MAILBOX_ID)
    assert (await guard.reconciler.run()).gone == 1
    held = guard.approval()
    assert held is not None
    assert held.state == "withdrawn"
    assert await guard.receiver.ledger.mirrored("mailbox", MAILBOX_ID) is None


async def test_an_unreadable_dataverse_changes_nothing(guard: AGuard) -> None:
    guard.receiver.rows.put("mailbox", MAILBOX_ID, **CEO)
    guard.receiver.rows.is_down = True
    with pytest.raises(Unavailable):
        await guard.reconciler.run()
    assert not guard.decisions()


async def test_observing_records_a_bypass_once_and_reverts_nothing(
    database: Database, clock: FrozenClock
) -> None:
    guard = a_guard(database, clock, enforcement="observe")
    await guard.reconciler.run()
    clock.advance(timedelta(minutes=1).total_seconds())
    guard.receiver.rows.put("mailbox", MAILBOX_ID, **CEO)
    await guard.reconciler.run()
    await guard.carry_out()
    await guard.reconciler.run()
    (decision,) = guard.decisions()
    assert (decision["decision"], decision["obligations"]) == ("reject", [])
    assert not guard.receiver.rows.written


async def test_choices_compare_as_numbers(guard: AGuard) -> None:
    await guard.deliver({"actdeliverymethod": choice(0)}, mode=1)
    guard.receiver.rows.put(
        "mailbox", MAILBOX_ID, actdeliverymethod=0, incomingemaildeliverymethod=2
    )
    guard.receiver.rows.put("mailbox", MAILBOX_ID, outgoingemaildeliverymethod=2)
    assert (await guard.reconciler.run()).refused == 0
