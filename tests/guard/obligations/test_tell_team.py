from __future__ import annotations

from typing import Any

import pytest

from cloud.errors import Throttled, Unknown, Unreachable
from guard.notices.register import MOST_PER_PERSON, TurnState, notices
from guard.ports.notifier import NoticeRefused
from kernel import tasks
from kernel.clock import FrozenClock
from kernel.database import Database
from kernel.tasks import TaskState
from rules.model.decision import Outcome
from tests.guard.assembled import SYSTEM_ID, AGuard, a_guard
from tests.guard.builders import ADMIN_ID
from tests.guard.obligations.decided import committed

CEO = {"emailaddress": "ceo@contoso.com"}
OWED_BY = committed(Outcome.REJECT, emailaddress="ceo@contoso.com")


@pytest.fixture
def guard(database: Database, clock: FrozenClock) -> AGuard:
    return a_guard(database, clock, tells_team=True)


def states(guard: AGuard) -> list[str]:
    found = guard.database.read_now(lambda c: tasks.list_states(c, states=list(TaskState)))
    return [one.state.value for one in found if one.kind == "tell_team"]


def turns(guard: AGuard) -> list[TurnState]:
    return guard.database.read_now(lambda c: [row.state for row in c.execute(notices.select())])


async def attempt(guard: AGuard, number: int = 1, **named: Any) -> None:
    record_id = f"11111111-1111-4111-8111-{number:012d}"
    await guard.deliver(CEO, record_id=record_id, **named)


async def test_the_team_hears_who_tried_what_and_why_not(guard: AGuard) -> None:
    await attempt(guard)
    (card,) = guard.receiver.team.given
    assert card.title == "A change to a mailbox by Anna@contoso.com was not accepted"
    assert card.body.startswith("ceo@contoso.com is not the sign-in name of the owner")
    assert guard.receiver.notifier.given == []


async def test_what_an_application_tries_is_for_the_team_too(guard: AGuard) -> None:
    await attempt(guard, actor=SYSTEM_ID)
    assert "by an application or nobody" in guard.receiver.team.given[0].title


async def test_the_team_is_told_of_more_than_one_person_is_and_once_of_an_edit(
    guard: AGuard,
) -> None:
    for number in range(1, MOST_PER_PERSON + 3):
        await attempt(guard, number)
        await attempt(guard, number, actor=ADMIN_ID if number == 1 else SYSTEM_ID)
    assert len(guard.receiver.team.given) == MOST_PER_PERSON + 2


async def test_what_may_have_arrived_is_never_sent_again(guard: AGuard, clock: FrozenClock) -> None:
    guard.receiver.team.loses = Unknown("No whole answer.", until=clock.now())
    await attempt(guard)
    clock.advance(4000)
    await guard.tell()
    assert (len(guard.receiver.team.given), states(guard)) == (1, ["done"])
    assert turns(guard) == [TurnState.UNKNOWN]


async def test_a_process_that_died_while_sending_sends_it_no_more(
    guard: AGuard, clock: FrozenClock
) -> None:
    class Died(Exception):
        """The process ends between sending and writing down."""

    async def die(notice: Any) -> None:
        guard.receiver.team.given.append(notice)
        raise Died

    give = guard.receiver.team.give
    guard.receiver.team.give = die  # type: ignore[method-assign]
    await attempt(guard)
    guard.receiver.team.give = give  # type: ignore[method-assign]
    assert turns(guard) == [TurnState.SENDING]
    clock.advance(600)
    await guard.tell()
    assert (len(guard.receiver.team.given), turns(guard)) == (1, [TurnState.UNKNOWN])


@pytest.mark.parametrize("kind", [Throttled, Unreachable])
async def test_what_surely_did_not_arrive_is_sent_again(
    guard: AGuard, clock: FrozenClock, kind: Any
) -> None:
    guard.receiver.team.refuses = kind("Not now.", until=clock.now())
    await attempt(guard)
    assert states(guard) == ["queued"]
    guard.receiver.team.refuses = None
    clock.advance(600)
    await guard.tell()
    assert (len(guard.receiver.team.given), states(guard)) == (1, ["done"])


async def test_an_address_that_takes_nothing_needs_a_person_once(guard: AGuard) -> None:
    guard.receiver.team.refuses = NoticeRefused("It is gone.", hint="Make it anew.")
    for number in range(1, 4):
        await attempt(guard, number)
    assert sorted(states(guard)) == ["done", "done", "needs-person"]
