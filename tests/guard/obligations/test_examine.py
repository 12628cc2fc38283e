"""A committed row that nobody could judge when its delivery came is judged later."""

from __future__ import annotations

import pytest

from guard.obligations.examine import Examine
from guard.obligations.table import owed_by
from kernel import tasks
from kernel.clock import FrozenClock
from kernel.database import Database
from kernel.tasks import TaskState
from rules.model.decision import Outcome
from tests.guard.assembled import AGuard, a_guard
from tests.guard.builders import ADMIN_ID, MAILBOX_ID, USER_ID
from tests.guard.obligations.decided import committed, unread

OWED_BY = unread()


@pytest.fixture
def guard(database: Database, clock: FrozenClock) -> AGuard:
    return a_guard(database, clock)


def test_it_alone_is_owed_when_nothing_was_judged() -> None:
    assert [one.kind for one in owed_by(OWED_BY)] == [Examine.kind]


@pytest.mark.parametrize("outcome", list(Outcome))
def test_it_is_not_owed_when_something_was(outcome: Outcome) -> None:
    assert Examine.owed_by(committed(outcome, emailaddress="ceo@contoso.com")) is None


def test_it_remembers_who_changed_which_row() -> None:
    owed = Examine.owed_by(OWED_BY)
    assert owed is not None
    assert (owed.table, owed.record_id, owed.actor_id) == ("mailbox", MAILBOX_ID, USER_ID)


async def test_the_row_is_judged_once_it_can_be_read(guard: AGuard, clock: FrozenClock) -> None:
    guard.receiver.rows.is_down = True
    answer = await guard.deliver({}, mode=1, InputParameters=None)
    assert (answer.status, answer.body["cause"]) == (200, "stripped")
    guard.receiver.rows.is_down = False
    clock.advance(60)
    await guard.carry_out()
    judged, refused = guard.decisions()
    assert (refused["id"], judged["decision"]) == (answer.body["decision_id"], "allow")
    [task] = guard.database.read_now(lambda c: tasks.list_for(c, refused["id"]))
    assert (task.kind, task.state) == (Examine.kind, TaskState.DONE)
    assert judged["id"] in str(task.result)


async def test_a_row_that_is_gone_by_then_needs_no_judging(
    guard: AGuard, clock: FrozenClock
) -> None:
    guard.receiver.rows.is_down = True
    await guard.deliver({}, mode=1, InputParameters=None)
    guard.receiver.rows.is_down = False
    guard.receiver.rows.remove("mailbox", MAILBOX_ID)
    clock.advance(60)
    await guard.carry_out()
    [refused] = guard.decisions()
    [task] = guard.database.read_now(lambda c: tasks.list_for(c, refused["id"]))
    assert (task.state, task.result) == (TaskState.DONE, "the row is gone")


async def test_in_whose_name_it_was_is_read_from_the_row(guard: AGuard) -> None:
    by = {"modified_by": ADMIN_ID, "on_behalf_by": USER_ID}
    guard.receiver.rows.put("mailbox", MAILBOX_ID, emailrouteraccessapproval=1, **by)
    await guard.deliver({}, mode=1, actor=ADMIN_ID, InputParameters=None)
    newest = guard.decisions()[0]
    assert (newest["initiating_user_id"], newest["on_behalf_by"]) == (ADMIN_ID, USER_ID)
    assert (newest["decision"], newest["rules"]) == ("reject", ["approver/qualified"])
