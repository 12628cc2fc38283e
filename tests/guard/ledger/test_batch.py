"""Decisions gather while the event loop brings more of them, and no longer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import pytest

import guard.ledger.batch
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
from kernel.errors import Unavailable
from kernel.writer import Job
from tests.guard.ledger.test_stored import an_entry


class Writing:
    """What a queue hands over, never written."""

    def __init__(self, clock: FrozenClock) -> None:
        self.batches: list[Batch] = []
        self.has_begun = False
        self.queue = Queue(self._write, self._retry)
        self._clock = clock

    def _write(self, batch: Batch) -> Job:
        self.batches.append(batch)
        job = Job(lambda connection: None, "guard.decision", batch, None)
        if self.has_begun:
            assert job.take()
        return job

    def _retry(self, waiting: Sequence[Waiting], error: Exception) -> None:
        raise error

    def put(
        self, count: int = 1, *, seconds: float | None = None
    ) -> list[asyncio.Future[Recorded]]:
        """Let so many decisions wait, for so long at the most."""
        loop = asyncio.get_running_loop()
        until = None if seconds is None else loop.time() + seconds
        futures = [loop.create_future() for _ in range(count)]
        for future in futures:
            item = sealed(an_entry(self._clock))
            self.queue.put(Waiting(item, NO_EFFECTS, future, seconds, until), loop)
        return futures

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


@pytest.fixture
async def pass_seconds(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Stop the clock of the loop; it goes on by what a test says, however busy the machine is."""
    loop = asyncio.get_running_loop()
    now = loop.time()

    def pass_(seconds: float) -> None:
        nonlocal now
        now += seconds

    monkeypatch.setattr(loop, "time", lambda: now)
    return pass_


@pytest.mark.usefixtures("pass_seconds")
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


async def test_a_loop_that_is_never_quiet_keeps_nobody_waiting(
    writing: Writing, pass_seconds: Callable[[float], None]
) -> None:
    for _ in range(ENOUGH):
        if not writing.batches:
            writing.put()
            pass_seconds(GATHER_SECONDS / 5)
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


async def test_what_was_not_begun_within_its_deadline_is_given_up(writing: Writing) -> None:
    for waiting in writing.put(2, seconds=0.02):
        with pytest.raises(Unavailable, match=r"did not write within 0\.02 seconds"):
            await asyncio.wait_for(waiting, 5)
    assert writing.batches[0].done()


async def test_what_was_begun_is_waited_for_a_while_longer(
    writing: Writing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard.ledger.batch, "NEAR_SECONDS", 0.2)
    writing.has_begun = True
    written = writing.put(seconds=0.02)
    await asyncio.sleep(0.1)
    writing.batches[0].set_result(None)
    assert (await written[0]).decision == "allow"
    hanging = writing.put(2, seconds=0.02)
    for waiting in hanging:
        with pytest.raises(Unavailable, match="may be there or not"):
            await asyncio.wait_for(waiting, 5)
    # What comes of it in the end is nobody's any more.
    assert writing.batches[1].done()
    writing.put()
    await turns(QUIET_TURNS + 2)
    assert len(writing.batches) == 3
