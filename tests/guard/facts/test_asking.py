"""Look-ups are joined, remembered for moments, and shared out among those whose changes ask."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from guard.facts import age
from guard.facts import asking as room
from guard.facts.asking import AskedDirectory, AskedRows, Asking, ShareUsed, asked_for
from guard.ports.directory import MemoryDirectory, Person
from guard.ports.rows import MemoryRows, Myself, UserRow
from kernel.clock import FrozenClock
from kernel.errors import Unavailable


class Slow:
    """A look-up that is counted and ends when it is let go."""

    def __init__(self) -> None:
        self.began = 0
        self.most = 0
        self.under_way = 0
        self.go_on = asyncio.Event()

    async def __call__(self) -> str:
        self.began += 1
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        await self.go_on.wait()
        self.under_way -= 1
        return "answer"


@pytest.fixture
def asking(clock: FrozenClock) -> Asking:
    return Asking(clock)


async def test_who_asks_the_same_meanwhile_waits_for_the_same_answer(asking: Asking) -> None:
    slow = Slow()
    asked = [asyncio.create_task(asking.ask("anna", slow)) for _ in range(20)]
    await asyncio.sleep(0)
    asked[0].cancel()
    await asyncio.sleep(0)
    slow.go_on.set()
    assert await asyncio.gather(*asked[1:]) == ["answer"] * 19
    assert slow.began == 1


async def test_an_answer_is_remembered_for_a_few_seconds_and_no_longer(
    asking: Asking, clock: FrozenClock
) -> None:
    rows = MemoryRows(Myself("", ""))
    rows.users["u"] = UserRow("u", "anna@contoso.com")
    asked = AskedRows(rows, asking)
    assert (await asked.user("u")) == rows.users["u"]
    rows.users["u"] = UserRow("u", "ben@contoso.com")
    clock.advance(room.FRESH_SECONDS)
    found = await asked.user("u")
    assert found is not None
    assert found.upn == "anna@contoso.com"
    clock.advance(0.1)
    found = await asked.user("u")
    assert found is not None
    assert found.upn == "ben@contoso.com"
    assert rows.asked == ["user u"] * 2


async def test_an_answer_that_was_under_way_is_as_old_as_its_look_up_was_when_it_was_joined(
    asking: Asking, clock: FrozenClock
) -> None:
    slow = Slow()

    async def ages() -> float:
        with asked_for("anna"):
            await asking.ask("ben", slow)
            return age.oldest()

    first = asyncio.create_task(ages())
    await asyncio.sleep(0.01)
    clock.advance(0.75)
    second = asyncio.create_task(ages())
    await asyncio.sleep(0.01)
    clock.advance(3)
    slow.go_on.set()
    assert await asyncio.gather(first, second) == [0.0, 0.75]


async def test_a_row_is_always_read_now(asking: Asking) -> None:
    rows = MemoryRows(Myself("", ""))
    asked = AskedRows(rows, asking)
    rows.put("mailbox", "m", emailaddress="a@contoso.com")
    await asked.row("mailbox", "m")
    rows.put("mailbox", "m", emailaddress="b@contoso.com")
    found = await asked.row("mailbox", "m")
    assert found is not None
    assert found.columns["emailaddress"] == "b@contoso.com"


async def test_no_answer_is_not_remembered(asking: Asking) -> None:
    directory = MemoryDirectory([Person("o", "anna@contoso.com")])
    asked = AskedDirectory(directory, asking)
    directory.is_down = True
    with pytest.raises(Unavailable):
        await asked.person("o")
    directory.is_down = False
    assert await asked.person("o") is not None


async def test_one_actor_uses_up_their_own_share_and_nobody_elses(
    asking: Asking, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "SHARE_REQUESTS", 10)
    rows = MemoryRows(Myself("", ""))
    asked = AskedRows(rows, asking)
    with asked_for("flooder"):
        for number in range(10):
            await asked.user(f"u{number}")
        with pytest.raises(ShareUsed, match="flooder"):
            await asked.user("one more")
        # What is known already costs nothing, and neither does who is asked elsewhere.
        await asked.user("u9")
    with asked_for("honest"):
        await asked.user("one more")
    assert len(rows.asked) == 11
    clock.advance(room.SHARE_SECONDS)
    with asked_for("flooder"):
        await asked.user("again")


async def test_of_one_actor_so_many_are_looked_up_at_a_time(asking: Asking) -> None:
    slow, quick = Slow(), Slow()
    quick.go_on.set()
    with asked_for("flooder"):
        many = [asyncio.create_task(asking.ask(number, slow)) for number in range(40)]
    await asyncio.sleep(0.01)
    with asked_for("honest"):
        assert await asyncio.wait_for(asking.ask("theirs", quick), 1) == "answer"
    assert slow.most == room.SHARE_AT_ONCE
    slow.go_on.set()
    await asyncio.gather(*many)
    assert slow.began == 40


async def test_nobody_waits_in_the_queue_of_another_actor_for_the_same_answer(
    asking: Asking,
) -> None:
    slow, quick = Slow(), Slow()
    quick.go_on.set()
    with asked_for("flooder"):
        many = [asyncio.create_task(asking.ask(number, slow)) for number in range(40)]
        victims = asyncio.create_task(asking.ask("theirs", quick))
    await asyncio.sleep(0.01)
    assert quick.began == 0
    with asked_for("honest"):
        assert await asyncio.wait_for(asking.ask("theirs", quick), 1) == "answer"
    assert await asyncio.wait_for(victims, 1) == "answer"
    assert quick.began == 1
    slow.go_on.set()
    await asyncio.gather(*many)


async def test_what_nobody_waits_for_any_more_is_never_begun(asking: Asking) -> None:
    slow = Slow()
    with asked_for("flooder"):
        many = [asyncio.create_task(asking.ask(number, slow)) for number in range(40)]
        await asyncio.sleep(0.01)
        for one in many[:-1]:
            one.cancel()
        await asyncio.sleep(0)
        slow.go_on.set()
        assert await asyncio.wait_for(many[-1], 1) == "answer"
    assert slow.began == room.SHARE_AT_ONCE + 1


async def test_what_is_remembered_is_bounded(
    asking: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "MOST_REMEMBERED", 5)
    monkeypatch.setattr(room, "MOST_ASKERS", 5)

    async def answer() -> Any:
        return None

    for number in range(50):
        with asked_for(str(number)):
            await asking.ask(number, answer)
    assert len(asking._recent) == 5
    assert len(asking._askers) == 5
    assert not asking._under_way
