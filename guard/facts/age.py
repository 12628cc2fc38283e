"""How old an answer is that a fact rests on: it may have been looked up for somebody else's change.

The *age* of an answer is how long its look-up had begun before the decision asked for anything.
What is looked up for the decision has none, what was remembered or under way already has some. A
fact is as old as the oldest answer that was used on the way to it: each task of the look-ups
remembers that for itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from contextvars import ContextVar
from typing import Any, TypeVar

A = TypeVar("A")
B = TypeVar("B")

_oldest: ContextVar[float] = ContextVar("oldest", default=0.0)


def forget() -> None:
    """Begin anew: nothing was used yet."""
    _oldest.set(0.0)


def used(seconds: float) -> None:
    """Let what follows rest on an answer of that age."""
    if seconds > _oldest.get():
        _oldest.set(seconds)


def oldest() -> float:
    """Return the age of the oldest answer that was used on the way here."""
    return _oldest.get()


async def both(first: Awaitable[A], second: Awaitable[B]) -> tuple[A, B]:
    """Return the answers of two look-ups made at once; what follows rests on both."""
    # A task's own memory ends with it, so each brings back what it used.
    (a, its), (b, others) = await asyncio.gather(_with_age(first), _with_age(second))
    used(max(its, others))
    return a, b


async def _with_age(answer: Awaitable[Any]) -> tuple[Any, float]:
    return await answer, oldest()
