"""A write of our own that the database does not know shows that it is older than what we did."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from guard.assembly import Guard
from guard.ledger import own_writes
from guard.watch.forgotten import CLOCKS_APART, ForgottenWrites
from kernel import approvals, recall
from kernel.clock import FrozenClock
from kernel.database import Database
from kernel.errors import ApprovalRests, Unavailable
from kernel.failpoints import Recorder, failpoint
from rules.model.change import Value
from tests.guard.assembled import AGuard, a_guard
from tests.guard.builders import ADMIN_ID, GUARD_ID, MAILBOX_ID, QUEUE_ID, USER_ID, choice
from tests.guard.obligations.test_grant import APPROVE

AGE = timedelta(hours=1)
STEP = failpoint("tests.forgotten", "An announcement of the tests of forgotten writes.")
APPROVED, PENDING, REJECTED = 1, 2, 3


@pytest.fixture
async def guard(database: Database, clock: FrozenClock) -> AGuard:
    """A guard that knows every row; Anna's mailbox is approved."""
    guard = a_guard(database, clock)
    await guard.reconciler.run()
    guard.receiver.rows.put("mailbox", MAILBOX_ID, emailrouteraccessapproval=APPROVED)
    await guard.deliver(APPROVE, mode=1, actor=ADMIN_ID)
    clock.advance(3600)
    await guard.drift.run()
    await guard.reconciler.run()
    permit(guard)
    return guard


def permit(guard: AGuard) -> None:
    held = guard.approval()
    assert held is not None
    now = guard.receiver.clock.now()
    guard.database.read_now(
        lambda c: approvals.permit(
            c,
            MAILBOX_ID,
            object_id=held.object_id,
            epoch=held.epoch,
            now=now,
            evidence_max_age=AGE,
        )
    )


def written(
    guard: AGuard,
    table: str = "mailbox",
    record_id: str = MAILBOX_ID,
    *,
    by: str = GUARD_ID,
    on_behalf_by: str | None = None,
    **columns: Value,
) -> None:
    """Let somebody write a row past the guard: ourselves, as the guard that was restored away."""
    guard.receiver.rows.put(
        table, record_id,
        modified_at=guard.receiver.clock.now(), modified_by=by, on_behalf_by=on_behalf_by,
        **columns,
    )  # fmt: skip


async def look(guard: AGuard) -> Sequence[str]:
    """Look as a process that has just begun."""
    parts: Guard = guard.parts
    receiver = guard.receiver
    begun = ForgottenWrites(
        guard.database, receiver.rows, receiver.ledger, receiver.identity, receiver.clock,
        receiver.metrics,
    )  # fmt: skip
    assert parts.forgotten is not begun
    return await begun.look()


async def test_a_revert_that_the_database_does_not_know_lets_all_rest_until_looked_up(
    guard: AGuard,
) -> None:
    written(guard, emailrouteraccessapproval=REJECTED)
    assert await look(guard) == [MAILBOX_ID]
    with pytest.raises(ApprovalRests):
        permit(guard)
    assert guard.database.read_now(recall.count_resting) == 1
    assert guard.receiver.metrics.counts["watched", "restore"] == 1
    await guard.drift.run()
    permit(guard)


async def test_it_is_noticed_once_and_no_longer_once_its_row_was_judged(
    guard: AGuard, clock: FrozenClock
) -> None:
    written(guard, emailrouteraccessapproval=REJECTED)
    clock.advance(60)
    forgotten = guard.parts.forgotten
    assert await forgotten.look() == [MAILBOX_ID]
    await guard.drift.run()
    assert await forgotten.look() == ()
    permit(guard)
    await guard.reconciler.run()
    assert await look(guard) == ()


async def test_what_this_guard_put_right_itself_is_never_taken_for_a_restore(
    guard: AGuard, clock: FrozenClock
) -> None:
    ceo = {"emailaddress": "ceo@contoso.com"}
    guard.receiver.rows.put("mailbox", MAILBOX_ID, modified_by=USER_ID, **ceo)
    await guard.deliver(ceo, mode=1, actor=USER_ID)
    [write] = guard.receiver.rows.written
    assert write.columns["emailrouteraccessapproval"] == REJECTED
    assert await look(guard) == ()
    # Nor after days in which it was down, and forgot the values that it had announced.
    clock.advance(10 * 86_400)
    assert await look(guard) == ()


async def test_nor_what_it_announced_and_wrote_before_it_was_killed(
    guard: AGuard, clock: FrozenClock
) -> None:
    announce(guard, "n1", MAILBOX_ID)
    clock.advance(30)
    written(guard, emailrouteraccessapproval=REJECTED)
    # What it announced is forgotten with the next write after a day; that it did is not.
    clock.advance(3 * 86_400)
    announce(guard, "n2", QUEUE_ID)
    assert await look(guard) == ()


async def test_an_announcement_that_is_older_than_the_write_is_that_of_another_write(
    guard: AGuard, clock: FrozenClock
) -> None:
    announce(guard, "n1", MAILBOX_ID)
    clock.advance(CLOCKS_APART.total_seconds() + 60)
    written(guard, emailrouteraccessapproval=REJECTED)
    clock.advance(3 * 86_400)
    announce(guard, "n2", QUEUE_ID)
    assert await look(guard) == [MAILBOX_ID]


async def test_edits_of_others_while_the_guard_was_down_are_no_sign(guard: AGuard) -> None:
    written(guard, by=USER_ID, emailaddress="ceo@contoso.com", emailrouteraccessapproval=PENDING)
    assert await look(guard) == ()
    permit(guard)


async def test_nor_is_what_somebody_wrote_in_our_name(guard: AGuard) -> None:
    written(guard, on_behalf_by=USER_ID, emailrouteraccessapproval=REJECTED)
    assert await look(guard) == ()


async def test_nor_what_was_written_as_us_beside_the_guarded_columns(guard: AGuard) -> None:
    # A plug-in of the organisation runs as whoever began, which is us when a mail is written.
    written(guard, name="Anna Example (synced)")
    assert await look(guard) == ()


async def test_nor_a_row_that_somebody_wrote_again(guard: AGuard) -> None:
    written(guard, emailrouteraccessapproval=REJECTED)
    written(guard, by=ADMIN_ID, emailrouteraccessapproval=PENDING)
    assert await look(guard) == ()


async def test_what_could_be_put_right_in_part_only_is_remembered(
    guard: AGuard, clock: FrozenClock
) -> None:
    guard.receiver.rows.may_approve = False
    edit = {"emailaddress": "ceo@contoso.com", "emailrouteraccessapproval": choice(APPROVED)}
    guard.receiver.rows.put(
        "mailbox", MAILBOX_ID, modified_by=USER_ID, emailaddress="ceo@contoso.com",
        emailrouteraccessapproval=APPROVED,
    )  # fmt: skip
    await guard.deliver(edit, mode=1, actor=USER_ID)
    assert [set(one.columns) for one in guard.receiver.rows.written] == [{"emailaddress"}]
    clock.advance(2 * 86_400)
    announce(guard, "n2", QUEUE_ID)
    assert await look(guard) == ()


@pytest.mark.parametrize(("approval", "found"), [(REJECTED, [QUEUE_ID]), (PENDING, [])])
async def test_of_a_row_that_nobody_knows_only_a_rejection_is_ours(
    guard: AGuard, approval: int, found: list[str]
) -> None:
    written(
        guard, "queue", QUEUE_ID,
        emailaddress="ceo@contoso.com", emailrouteraccessapproval=approval,
    )  # fmt: skip
    assert list(await look(guard)) == found


async def test_a_database_that_has_seen_no_row_yet_has_forgotten_none(
    database: Database, clock: FrozenClock
) -> None:
    guard = a_guard(database, clock)
    written(guard, emailrouteraccessapproval=REJECTED)
    assert await look(guard) == ()
    await guard.reconciler.run()
    assert await look(guard) == ()


async def test_while_it_is_not_known_who_we_are_nothing_is_asked(guard: AGuard) -> None:
    guard.receiver.identity.user_id = None
    guard.receiver.rows.asked.clear()
    assert await look(guard) == ()
    assert not guard.receiver.rows.asked


async def test_no_answer_is_an_error_and_an_idle_look_writes_nothing(guard: AGuard) -> None:
    trace = Recorder()
    guard.database._writer._failpoints = trace
    assert await look(guard) == ()
    assert not trace.reached
    guard.receiver.rows.is_down = True
    with pytest.raises(Unavailable):
        await look(guard)


def announce(guard: AGuard, nonce: str, *record_ids: str) -> None:
    now = guard.receiver.clock.now()
    columns: dict[str, Any] = {"statecode": 1}
    guard.database.write_now(
        lambda c: own_writes.announce(
            c, nonce=nonce, record_ids=record_ids, columns=columns, now=now
        ),
        failpoint=STEP,
    )
