"""Group commit: one thread runs what waits to be written in one transaction, then answers all.

A batch runs without savepoints first. When one of its functions raises, the batch is rolled back
and done again with a savepoint each, so that only the one that raised fails. Hence the rule for
every function given to the writer: it touches nothing but its connection, and may run twice.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any, Protocol

from sqlalchemy import Connection, Engine

from kernel.database_file import DatabaseFile
from kernel.errors import Unavailable
from kernel.failpoints import Crash, Failpoints
from kernel.outage import as_ours

MAX_BATCH = 256
MAX_BATCH_SECONDS = 0.005
# After so long without a job the log of an embedded database is emptied.
QUIET_SECONDS = 1.0


class OutcomeSink(Protocol):
    """Where the outcome of a job goes: a future, or what stands in for one."""

    def done(self) -> bool:
        """Return whether it has its outcome already."""
        ...

    def set_result(self, value: Any, /) -> None:
        """Take what the function returned, which is durable."""
        ...

    def set_exception(self, error: BaseException, /) -> None:
        """Take why nothing was written."""
        ...


class Job:
    """One function that waits for its turn, and where its answer goes."""

    __slots__ = ("_claimed", "error", "failpoint", "fn", "future", "loop", "taken", "value")

    def __init__(
        self,
        fn: Callable[[Connection], Any],
        failpoint: str,
        future: OutcomeSink,
        loop: asyncio.AbstractEventLoop | None,
    ) -> None:
        self.fn = fn
        self.failpoint = failpoint
        self.future = future
        self.loop = loop
        self.value: Any = None
        self.error: BaseException | None = None
        self.taken = False
        self._claimed = threading.Lock()

    def give_up(self) -> bool:
        """Keep the job from ever running; False when the writer already has it."""
        return self._claimed.acquire(blocking=False)

    def take(self) -> bool:
        """Take the job for running, for good; False when it was given up. For the writer alone."""
        if not self.taken:
            self.taken = self._claimed.acquire(blocking=False)
        return self.taken


def scratch(connection: Connection) -> dict[str, Any]:
    """Return what storage functions may remember between transactions of this connection.

    It survives commits and is emptied by every roll-back, so what it holds is always committed
    or about to be.
    """
    found: dict[str, Any] = connection.info.setdefault("scratch", {})
    return found


class Writer:
    """The thread that owns the writing connection."""

    def __init__(
        self,
        engine: Engine,
        failpoints: Failpoints,
        *,
        batch_seconds: float = MAX_BATCH_SECONDS,
        file: DatabaseFile | None = None,
    ) -> None:
        self._engine = engine
        self._batch_seconds = batch_seconds
        self._failpoints = failpoints
        self._queue: SimpleQueue[Job | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="database-writer", daemon=True)
        self._connection: Connection | None = None
        self._has_written = False
        # Nothing may enter the queue behind the end mark: nobody would ever answer it.
        self._gate = threading.Lock()
        self._is_open = False
        self._file = file
        # Why the last write that was tried could not be done; None once one was.
        self.failure: Unavailable | None = None

    def start(self) -> None:
        """Begin to take jobs."""
        self._thread.start()
        self._is_open = True

    def stop(self) -> None:
        """Write what already waits, then end; later jobs fail."""
        with self._gate:
            if not self._is_open:
                return
            self._is_open = False
            self._queue.put(None)
        self._thread.join()

    def put(self, job: Job) -> None:
        """Let a job wait for its turn."""
        with self._gate:
            if not self._is_open:
                raise Unavailable("The database is closed.", hint="Start the process again.")
            self._queue.put(job)

    def _run(self) -> None:
        is_stopped = False
        while not is_stopped:
            waiting, is_stopped = self._next_batch()
            while waiting:
                waiting = self._write(waiting)
                self._tidy(is_quiet=False)
        self._drop_connection()

    def _tidy(self, *, is_quiet: bool) -> None:
        if self._file is not None:
            self._file.tidy(is_quiet=is_quiet)

    def _next_batch(self) -> tuple[list[Job], bool]:
        try:
            first = self._queue.get(timeout=QUIET_SECONDS if self._has_written else None)
        except Empty:
            self._has_written = False
            self._tidy(is_quiet=True)
            return [], False
        if first is None:
            return [], True
        batch = [first]
        while len(batch) < MAX_BATCH:
            try:
                job = self._queue.get_nowait()
            except Empty:
                break
            if job is None:
                return batch, True
            batch.append(job)
        return batch, False

    def _write(self, waiting: list[Job]) -> list[Job]:
        """Write what fits into one transaction, answer it, and return what waits still."""
        try:
            consumed = self._transact(waiting)
            ended = [job for job in waiting[:consumed] if job.taken]
        except BaseException as error:  # noqa: BLE001 - every waiting caller must be answered.
            # What ran in the transaction failed with it; when it never began, all that wait did.
            self._drop_connection()
            ended = [job for job in waiting if job.taken] or [job for job in waiting if job.take()]
            consumed = waiting.index(ended[-1]) + 1 if ended else len(waiting)
            for job in ended:
                job.error = as_ours(error, "written")
        self._note(ended)
        _answer(ended)
        return waiting[consumed:]

    def _note(self, ended: list[Job]) -> None:
        """Remember whether writing works."""
        for job in ended:
            if job.error is None:
                self._has_written, self.failure = True, None
            elif isinstance(job.error, Unavailable):
                self.failure = job.error

    def _transact(self, waiting: list[Job]) -> int:
        """Run and commit jobs from the front; return how many of them are through."""
        try:
            connection, consumed = self._run_jobs(waiting)
        except Exception:
            if self._connection is None or not self._connection.invalidated:
                raise
            # A connection that was lost before COMMIT has written nothing: a new one may do it.
            self._drop_connection()
            connection, consumed = self._run_jobs(waiting)
        kept = [job for job in waiting[:consumed] if job.taken and job.error is None]
        if not kept:
            _roll_back(connection)
            return consumed
        for job in kept:
            self._failpoints.reach(job.failpoint, "before-commit")
        connection.commit()
        # Nothing is told to be durable that went into a file which is no longer there.
        self._check_file()
        for job in kept:
            self._reach_after_commit(job)
        return consumed

    def _check_file(self) -> None:
        if self._file is not None:
            self._file.check()

    def _run_jobs(self, waiting: list[Job]) -> tuple[Connection, int]:
        self._check_file()
        connection = self._connect()
        connection.begin()
        consumed = _run_together(connection, waiting, seconds=self._batch_seconds)
        if consumed is None:
            connection.begin()
            consumed = _run_apart(connection, waiting, seconds=self._batch_seconds)
        return connection, consumed

    def _reach_after_commit(self, job: Job) -> None:
        try:
            self._failpoints.reach(job.failpoint, "after-commit")
        except Crash as crash:
            job.error = crash

    def _connect(self) -> Connection:
        if self._connection is None:
            self._connection = self._engine.connect()
        return self._connection

    def _drop_connection(self) -> None:
        """Close the connection for good: what it remembers and holds open goes with it."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        try:
            connection.invalidate()
            connection.close()
        except Exception:  # noqa: BLE001, S110 - it may be dead already, which is as good.
            pass


def _run_together(connection: Connection, waiting: list[Job], *, seconds: float) -> int | None:
    """Run jobs until the time of one transaction is used; None when they must be run apart."""
    until = time.perf_counter() + seconds
    is_first = True
    for consumed, job in enumerate(waiting, start=1):
        if not job.take():
            continue
        job.error = None
        try:
            job.value = job.fn(connection)
        except Exception as error:
            if connection.invalidated:
                raise
            if not is_first:
                _roll_back(connection)
                return None
            job.error = as_ours(error, "written")
            return consumed
        is_first = False
        if time.perf_counter() > until:
            return consumed
    return len(waiting)


def _run_apart(connection: Connection, waiting: list[Job], *, seconds: float) -> int:
    until = time.perf_counter() + seconds
    for consumed, job in enumerate(waiting, start=1):
        if not job.take():
            continue
        job.error = None
        try:
            with connection.begin_nested():
                job.value = job.fn(connection)
        except Exception as error:
            if connection.invalidated:
                raise
            scratch(connection).clear()
            job.error = as_ours(error, "written")
        if time.perf_counter() > until:
            return consumed
    return len(waiting)


def _roll_back(connection: Connection) -> None:
    connection.rollback()
    scratch(connection).clear()


def _answer(jobs: list[Job]) -> None:
    by_loop: dict[asyncio.AbstractEventLoop, list[Job]] = {}
    for job in jobs:
        if job.loop is None:
            _resolve(job)
        else:
            by_loop.setdefault(job.loop, []).append(job)
    for loop, its_jobs in by_loop.items():
        try:
            loop.call_soon_threadsafe(_resolve_all, its_jobs)
        except RuntimeError:
            # A loop that was closed meanwhile has nobody left to answer.
            continue


def _resolve_all(jobs: list[Job]) -> None:
    for job in jobs:
        _resolve(job)


def _resolve(job: Job) -> None:
    if job.future.done():
        return
    if job.error is not None:
        job.future.set_exception(job.error)
    else:
        job.future.set_result(job.value)
