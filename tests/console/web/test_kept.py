"""What is kept is asked for once for all, and again when it is old."""

from __future__ import annotations

import asyncio

import pytest

from console.web.kept import Kept
from kernel.clock import FrozenClock
from kernel.errors import Unavailable


async def test_many_ask_at_once_and_one_reads(clock: FrozenClock) -> None:
    kept, asked = Kept(clock), []

    async def ask() -> int:
        asked.append(1)
        await asyncio.sleep(0)
        return len(asked)

    found = await asyncio.gather(*(kept.get("a", 60, ask) for _ in range(10)))
    assert found == [1] * 10
    clock.advance(59)
    assert await kept.get("a", 60, ask) == 1
    clock.advance(1)
    assert await kept.get("a", 60, ask) == 2


async def test_what_fails_is_not_kept(clock: FrozenClock) -> None:
    kept = Kept(clock)

    async def fail() -> int:
        raise Unavailable("Not now.")

    async def ask() -> int:
        return 1

    with pytest.raises(Unavailable):
        await kept.get("a", 60, fail)
    assert await kept.get("a", 60, ask) == 1
