"""Several questions at once, in order, and an end when nothing answers."""

from __future__ import annotations

import asyncio

import pytest

from guard.watch.unanswered import AT_ONCE, UnansweredLimit, ask_each
from kernel.errors import Unavailable


async def test_so_many_are_asked_at_once_and_answers_keep_the_order() -> None:
    running, most = 0, 0

    async def ask(number: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.001 * (number % 3))
        running -= 1
        return number * 2

    assert await ask_each(range(30), ask) == [number * 2 for number in range(30)]
    assert most == AT_ONCE
    assert await ask_each([], ask) == []


async def test_an_error_ends_the_others_before_it_is_raised() -> None:
    ended: list[int] = []

    async def ask(number: int) -> None:
        if number == 1:
            raise Unavailable("silent")
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(number)

    with pytest.raises(Unavailable):
        await ask_each([0, 1, 2], ask)
    assert sorted(ended) == [0, 2]


def test_limit_ends_after_so_many_in_a_row() -> None:
    limit = UnansweredLimit(most_unanswered=2)
    limit.unanswered("silent")
    limit.answered()
    limit.unanswered("silent")
    assert limit.ended is None
    limit.unanswered("silent")
    assert limit.ended == "Not looked up: 2 look-ups in a row had no answer (silent)."
    limit.answered()
    assert limit.ended is not None
