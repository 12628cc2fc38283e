"""Decisions that wait to be written, in batches: while one is being written, the next gathers.

A commit costs as much as ten decisions, and every hand-over between the event loop and the writer
wakes a thread. So there is one batch at a time, without tasks or coroutines of its own, and it
begins when the loop has nothing more to bring; only when one takes strikingly long do others go
beside it, so that each keeps its deadline.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from guard.ledger.entry import Effects, Recorded, Sealed, recorded
from kernel.database import NEAR_SECONDS, too_slow, unanswered
from kernel.writer import Job

MOST_AT_ONCE = 128
# So many are worth a commit, whatever else may come.
ENOUGH = 64
# A request that was read in one turn of the loop is decided in the next.
QUIET_TURNS = 2
GATHER_SECONDS = 0.005
BESIDE_SECONDS = 0.25


@dataclass(slots=True)
class Waiting:
    """One decision, what it causes, who waits for it, and until when by the loop's clock."""

    item: Sealed
    effects: Effects
    future: asyncio.Future[Recorded]
    deadline_seconds: float | None
    until: float | None

    def answer(self, answer: Recorded) -> None:
        """Give the caller its answer, unless it is gone."""
        if not self.future.done():
            self.future.set_result(answer)

    def fail(self, error: BaseException) -> None:
        """Give the caller an error, unless it is gone."""
        if not self.future.done():
            self.future.set_exception(error)


class Batch:
    """One function for the writer, which answers it as it would answer a future."""

    __slots__ = ("_began", "_ended", "_job", "_queue", "_timers", "waiting", "when_durable")

    def __init__(self, queue: Queue, waiting: list[Waiting]) -> None:
        self.waiting = waiting
        self.when_durable: Callable[[], None] | None = None
        self._queue = queue
        self._job: Job | None = None
        self._timers: list[asyncio.TimerHandle] = []
        self._began = 0.0
        self._ended = False

    def begin(self, job: Job, loop: asyncio.AbstractEventLoop) -> None:
        """Watch over the job that was handed to the writer."""
        self._job = job
        self._began = loop.time()
        self._timers.append(loop.call_later(BESIDE_SECONDS, self._queue.pass_by, self))
        deadlines = [one.until for one in self.waiting if one.until is not None]
        if deadlines:
            self._timers.append(loop.call_at(min(deadlines), self._give_up))

    def done(self) -> bool:
        """Return whether the batch has its answer."""
        return self._ended

    def set_result(self, _: Any) -> None:
        """Take the writer's word that all of it is durable."""
        self._end()
        self._queue.on_written(asyncio.get_running_loop().time() - self._began)
        if self.when_durable is not None:
            self.when_durable()
        for one in self.waiting:
            one.answer(recorded(one.item.entry))

    def set_exception(self, error: BaseException) -> None:
        """Take the writer's word that nothing of it was written."""
        self._end()
        if isinstance(error, Exception):
            self._queue.retry(self.waiting, error)
        else:
            for one in self.waiting:
                one.fail(error)

    def _end(self) -> None:
        self._ended = True
        for timer in self._timers:
            timer.cancel()
        # Job and batch know each other: left so, each decision would be the collector's work.
        self._job = None
        self._timers.clear()
        self._queue.pass_by(self)

    def _give_up(self) -> None:
        # Whoever claims the job first has it: either it never runs, or its commit is near.
        if self._job is None:
            return
        if self._job.give_up():
            self._fail(too_slow)
        else:
            loop = asyncio.get_running_loop()
            self._timers.append(loop.call_later(NEAR_SECONDS, self._fail, unanswered))

    def _fail(self, error: Callable[[float], Exception]) -> None:
        self._end()
        for one in self.waiting:
            one.fail(error(one.deadline_seconds or 0.0))


class Queue:
    """What waits, and the batch that is being written.

    `write` hands a batch to the writer; `retry` deals with one of which nothing was written.
    `on_written` takes how many seconds a batch took to become durable.
    """

    def __init__(
        self,
        write: Callable[[Batch], Job],
        retry: Callable[[Sequence[Waiting], Exception], None],
        on_written: Callable[[float], None] = lambda seconds: None,
    ) -> None:
        self._write = write
        self.retry = retry
        self.on_written = on_written
        self._waiting: list[Waiting] = []
        self._current: Batch | None = None
        self._gathers = False

    def put(self, waiting: Waiting, loop: asyncio.AbstractEventLoop) -> None:
        """Let a decision wait for the next batch."""
        self._waiting.append(waiting)
        if self._current is None and not self._gathers:
            self._gather(loop)

    def pass_by(self, batch: Batch) -> None:
        """Let the next batch gather, whether or not this one is through."""
        if self._current is batch:
            self._current = None
            if self._waiting and not self._gathers:
                self._gather(asyncio.get_running_loop())

    def _gather(self, loop: asyncio.AbstractEventLoop) -> None:
        self._gathers = True
        loop.call_soon(self._look, loop, loop.time() + GATHER_SECONDS, 0, 0)

    def _look(
        self, loop: asyncio.AbstractEventLoop, until: float, seen: int, quiet_turns: int
    ) -> None:
        """Begin once enough wait, or nothing more comes, or it was waited for long enough."""
        count = len(self._waiting)
        quiet_turns = quiet_turns + 1 if count == seen else 0
        if count >= ENOUGH or quiet_turns == QUIET_TURNS or loop.time() >= until:
            self._gathers = False
            self._begin()
        else:
            loop.call_soon(self._look, loop, until, count, quiet_turns)

    def _begin(self) -> None:
        while self._current is None and self._waiting:
            waiting, self._waiting = self._waiting[:MOST_AT_ONCE], self._waiting[MOST_AT_ONCE:]
            batch = Batch(self, waiting)
            try:
                job = self._write(batch)
            except Exception as error:  # noqa: BLE001 - it is the callers' answer.
                for one in waiting:
                    one.fail(error)
                continue
            self._current = batch
            batch.begin(job, asyncio.get_running_loop())
