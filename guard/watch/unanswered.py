"""Asking many times: several at once, and no longer once nothing answers any more."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")

AT_ONCE = 8
MOST_UNANSWERED = 10


class UnansweredLimit:
    """Ends after so many questions in a row without an answer."""

    def __init__(self, most_unanswered: int = MOST_UNANSWERED) -> None:
        self._most = most_unanswered
        self._in_a_row = 0
        self.ended: str | None = None

    def unanswered(self, reason: str) -> None:
        """Count a question that no service answered; `ended` then may say why to stop."""
        self._in_a_row += 1
        if self._in_a_row >= self._most and self.ended is None:
            self.ended = f"Not looked up: {self._most} look-ups in a row had no answer ({reason})."

    def answered(self) -> None:
        """Count a question that was answered."""
        self._in_a_row = 0


async def ask_each(
    items: Sequence[Item], ask: Callable[[Item], Awaitable[Answer]], *, at_once: int = AT_ONCE
) -> list[Answer]:
    """Return the answers in the order of the items; so many are asked for at once."""
    turns = asyncio.Semaphore(at_once)

    async def one(item: Item) -> Answer:
        async with turns:
            return await ask(item)

    tasks = [asyncio.ensure_future(one(item)) for item in items]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
