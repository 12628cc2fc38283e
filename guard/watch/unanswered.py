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
    """Return the answers in the order of the items; so many are asked for at once.

    Raises what the first question raises that fails; the others are broken off and have ended.
    """
    turns = asyncio.Semaphore(at_once)

    async def one(item: Item) -> Answer:
        async with turns:
            return await ask(item)

    try:
        async with asyncio.TaskGroup() as group:
            asked = [group.create_task(one(item)) for item in items]
    except BaseExceptionGroup as failed:
        # Whoever asks knows the errors of one question, not of a group.
        raise failed.exceptions[0] from None
    return [task.result() for task in asked]
