"""Decisions gather while the event loop brings more of them, and no longer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import pytest

from guard.ledger.batch import (
    ENOUGH,
    GATHER_SECONDS,
    MOST_AT_ONCE,
    QUIET_TURNS,
    Batch,
    Queue,
    Waiting,
)
from guard.ledger.entry import NO_EFFECTS, Recorded, sealed
from kernel.clock import FrozenClock
from kernel.writer import Job
from tests.guard.ledger.test_stored import an_entry


class Writing:
    """What a queue hands over, never written."""

    def __init__(self, clock: FrozenClock) -> None:
        self.batches: list[Batch] = []
        self.queue = Queue(self._write, self._retry)
        self._clock = clock

    def _write(self, batch: Batch) -> Job:
        self.batches.append(batch)
        return Job(lambda connection: None, "guard.decision", batch, None)

    def _retry(self, waiting: Sequence[Waiting], error: Exception) -> None:
        raise error

    def put(self, count: int = 1) -> None:
        """Let so many decisions wait."""
        loop = asyncio.get_running_loop()
        for _ in range(count):
            future: asyncio.Future[Recorded] = loop.create_future()
            item = sealed(an_entry(self._clock))
            self.queue.put(Waiting(item, NO_EFFECTS, future, None, None), loop)

    @property
    def sizes(self) -> list[int]:
        """Return how many decisions each batch took."""
        return [len(batch.waiting) for batch in self.batches]


@pytest.fixture
def writing(clock: FrozenClock) -> Writing:
    return Writing(clock)


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def _be_busy(seconds: float) -> None:
    """Take the turn as long as it takes under load."""
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        pass


async def test_what_following_turns_of_the_loop_bring_goes_along(writing: Writing) -> None:
    for _ in range(3):
        writing.put()
        await turns(2)
    assert writing.sizes == []
    await turns(3)
    assert writing.sizes == [3]


async def test_enough_of_them_wait_for_nothing(writing: Writing) -> None:
    writing.put(ENOUGH)
    await turns(1)
    assert writing.sizes == [ENOUGH]


async def test_a_loop_that_is_never_quiet_keeps_nobody_waiting(writing: Writing) -> None:
    for _ in range(ENOUGH):
        if not writing.batches:
            writing.put()
            _be_busy(GATHER_SECONDS / 5)
            await turns(1)
    assert QUIET_TURNS < writing.sizes[0] < ENOUGH


async def test_while_one_batch_is_written_the_next_one_gathers(writing: Writing) -> None:
    writing.put(ENOUGH)
    await turns(1)
    writing.put(MOST_AT_ONCE + 1)
    await turns(5)
    assert writing.sizes == [ENOUGH]
    writing.batches[0].set_result(None)
    await turns(2)
    assert writing.sizes == [ENOUGH, MOST_AT_ONCE]
    writing.batches[1].set_result(None)
    await turns(4)
    assert writing.sizes == [ENOUGH, MOST_AT_ONCE, 1]
