"""What is read once for all who look at pages, and kept for a moment: pages may be many."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from kernel.clock import Clock

T = TypeVar("T")


class Kept:
    """Values by name, each with the moment until which it is good."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._values: dict[str, tuple[float, Any]] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def get(self, name: str, seconds: float, ask: Callable[[], Awaitable[T]]) -> T:
        """Return the value of that name, asked for anew when it is older; one asks for all.

        Names are constants of pages: they are few.
        """
        async with self._locks.setdefault(name, asyncio.Lock()):
            until, value = self._values.get(name, (float("-inf"), None))
            now = self._clock.monotonic()
            if now >= until:
                value = await ask()
                self._values[name] = (now + seconds, value)
            kept: T = value
            return kept
