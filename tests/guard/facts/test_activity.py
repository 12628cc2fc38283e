"""How much an actor changes, counted by rows, across restarts and processes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from guard.facts import activity
from guard.ledger.port import MemoryLedger
from guard.ledger.recent import Attempt
from kernel.clock import FrozenClock
from kernel.errors import Unavailable
from tests.guard.assembled import AReceiver, a_receiver
from tests.guard.builders import ADMIN_ID, MAILBOX_ID, USER_ID
from tests.guard.facts.questions import a_question, gathered

RECENT, SIMILAR = "actor.recentChanges", "actor.similarChanges"


@pytest.fixture
def receiver(clock: FrozenClock) -> AReceiver:
    return a_receiver(clock)


async def counts(
    receiver: AReceiver, row: int, *, approves: bool = False, **named: Any
) -> list[Any]:
    before = {"emailaddress": f"old{row}@contoso.com", "emailrouteraccessapproval": 2}
    after = {**before, **({"emailrouteraccessapproval": 1} if approves else {"emailaddress": "x"})}
    named.setdefault("columns", after)
    question = a_question(RECENT, SIMILAR, record_id=f"r{row}", before=before, **named)
    found = await gathered(receiver, question)
    return [found.values[RECENT], found.values[SIMILAR]]


async def test_rows_count_once_and_the_change_itself_is_one_of_them(receiver: AReceiver) -> None:
    assert await counts(receiver, 1) == [1, 1]
    assert await counts(receiver, 1, is_synchronous=False) == [1, 1]
    assert await counts(receiver, 2) == [2, 2]
    assert await counts(receiver, 3, actor_id=USER_ID) == [1, 1]


async def test_another_way_or_another_table_is_not_similar(receiver: AReceiver) -> None:
    await counts(receiver, 1)
    assert await counts(receiver, 2, approves=True) == [2, 1]
    assert await counts(receiver, 3, table="queue") == [3, 1]


async def test_ten_minutes_are_at_once_and_an_hour_is_recent(receiver: AReceiver) -> None:
    await counts(receiver, 1)
    receiver.clock.advance(timedelta(minutes=10).total_seconds())
    assert await counts(receiver, 2) == [2, 1]
    receiver.clock.advance(timedelta(minutes=50).total_seconds())
    assert await counts(receiver, 3) == [2, 1]


async def test_what_concerns_no_address_is_not_counted(receiver: AReceiver) -> None:
    await counts(receiver, 1)
    before = {"emailaddress": "old2@contoso.com", "emailrouteraccessapproval": 2}
    assert await counts(receiver, 2, columns={**before, "statecode": 1}) == [1, 0]


async def test_nothing_is_asked_of_dataverse_for_it(receiver: AReceiver) -> None:
    await counts(receiver, 1)
    assert receiver.rows.asked == []


async def test_nobody_has_no_changes(receiver: AReceiver) -> None:
    found = await gathered(receiver, a_question(RECENT, actor_id=None))
    assert found.missing[RECENT] == "the delivery names no actor"


class Shared(MemoryLedger):
    """A ledger in which others write too."""

    def __init__(self) -> None:
        super().__init__()
        self.attempts: list[Attempt] = []
        self.asked: list[Any] = []

    async def recent(self, *, since: Any) -> list[Attempt]:
        self.asked.append(since)
        return [one for one in self.attempts if one.at >= since]


async def test_what_was_before_and_what_others_decide_is_read_once_a_minute(
    clock: FrozenClock,
) -> None:
    ledger, start = Shared(), clock.now()
    receiver = a_receiver(clock, ledger=ledger)
    ledger.attempts = [Attempt(ADMIN_ID, MAILBOX_ID, "mailbox update address", start)]
    assert await counts(receiver, 1) == [2, 2]
    ledger.attempts.append(Attempt(ADMIN_ID, "r9", "queue create address", start))
    assert await counts(receiver, 1) == [2, 2]
    clock.advance(60)
    assert await counts(receiver, 1) == [3, 2]
    assert ledger.asked == [start - timedelta(hours=1), start - timedelta(minutes=1)]


async def test_a_ledger_that_cannot_be_read_leaves_it_unknown(clock: FrozenClock) -> None:
    class Silent(MemoryLedger):
        async def recent(self, *, since: Any) -> Any:
            raise Unavailable("The database does not answer.")

    found = await gathered(a_receiver(clock, ledger=Silent()), a_question(RECENT))
    assert found.missing[RECENT] == "The database does not answer."


async def test_counts_end_where_memory_does(clock: FrozenClock) -> None:
    ledger, now = Shared(), clock.now()
    receiver = a_receiver(clock, ledger=ledger)
    ledger.attempts = [
        Attempt(ADMIN_ID, f"n{n}", "mailbox update address", now)
        for n in range(activity.MOST_CHANGES + 5)
    ]
    assert await counts(receiver, 1) == [activity.MOST_CHANGES] * 2
    ledger.attempts = [
        Attempt(f"u{n}", "n", "mailbox update address", now + timedelta(minutes=1))
        for n in range(activity.MOST_ACTORS)
    ]
    clock.advance(60)
    assert await counts(receiver, 1) == [1, 1]
