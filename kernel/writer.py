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
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from kernel.errors import Unavailable
from kernel.failpoints import Crash, Failpoints

MAX_BATCH = 256
MAX_BATCH_SECONDS = 0.005


class Job:
    """One function that waits for its turn, and where its answer goes."""

    __slots__ = ("_claimed", "error", "fn", "future", "loop", "step", "value")

    def __init__(
        self,
        fn: Callable[[Connection], Any],
        step: str,
        future: asyncio.Future[Any] | Future[Any],
        loop: asyncio.AbstractEventLoop | None,
    ) -> None:
        self.fn = fn
        self.step = step
        self.future = future
        self.loop = loop
        self.value: Any = None
        self.error: BaseException | None = None
        self._claimed = threading.Lock()

    def claim(self) -> bool:
        """Take the job for running or for giving up: the first who asks gets it."""
        return self._claimed.acquire(blocking=False)


def scratch(connection: Connection) -> dict[str, Any]:
    """Return what storage functions may remember between transactions of this connection.

    It survives commits and is emptied by every roll-back, so what it holds is always committed
    or about to be.
    """
    found: dict[str, Any] = connection.info.setdefault("scratch", {})
    return found


class Writer:
    """The thread that owns the writing connection."""

    def __init__(self, engine: Engine, failpoints: Failpoints) -> None:
        self._engine = engine
        self._failpoints = failpoints
        self._queue: SimpleQueue[Job | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="database-writer", daemon=True)
        self._connection: Connection | None = None
        self._stopping = False

    def start(self) -> None:
        """Begin to take jobs."""
        self._thread.start()

    def stop(self) -> None:
        """Write what already waits, then end; later jobs fail."""
        self._stopping = True
        self._queue.put(None)
        self._thread.join()

    def put(self, job: Job) -> None:
        """Let a job wait for its turn."""
        if self._stopping:
            raise Unavailable("The database is closed.", hint="Start the process again.")
        self._queue.put(job)

    def _run(self) -> None:
        stopped = False
        while not stopped:
            batch, stopped = self._next_batch()
            if not batch:
                continue
            try:
                self._write(batch)
            except BaseException as error:  # noqa: BLE001 - every waiting caller must be answered.
                for job in batch:
                    job.error = error
                self._drop_connection()
            _answer(batch)
        self._drop_connection()

    def _next_batch(self) -> tuple[list[Job], bool]:
        first = self._queue.get()
        if first is None:
            return [], True
        batch = [first] if first.claim() else []
        while len(batch) < MAX_BATCH:
            try:
                job = self._queue.get_nowait()
            except Empty:
                break
            if job is None:
                return batch, True
            if job.claim():
                batch.append(job)
        return batch, False

    def _write(self, batch: list[Job]) -> None:
        waiting = batch
        while waiting:
            connection = self._connect()
            done = _run_together(connection, waiting)
            if done is None:
                _run_apart(connection, waiting)
                done = waiting
            kept = [job for job in done if job.error is None]
            try:
                for job in kept:
                    self._failpoints.reach(job.step, "before-commit")
                connection.commit()
            except BaseException:
                _roll_back(connection)
                raise
            for job in kept:
                self._reach_after_commit(job)
            waiting = waiting[len(done) :]

    def _reach_after_commit(self, job: Job) -> None:
        try:
            self._failpoints.reach(job.step, "after-commit")
        except Crash as crash:
            job.error = crash

    def _connect(self) -> Connection:
        if self._connection is None or self._connection.closed or self._connection.invalidated:
            self._drop_connection()
            self._connection = self._engine.connect()
        return self._connection

    def _drop_connection(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.info.pop("scratch", None)
            connection.close()


def _run_together(connection: Connection, batch: list[Job]) -> list[Job] | None:
    """Run jobs until the time for one transaction is used; None when one of them raised."""
    if not connection.in_transaction():
        connection.begin()
    until = time.perf_counter() + MAX_BATCH_SECONDS
    done: list[Job] = []
    for job in batch:
        try:
            job.value = job.fn(connection)
        except Crash:
            _roll_back(connection)
            raise
        except Exception as error:
            _roll_back(connection)
            if len(batch) == 1:
                job.error = _as_ours(error)
                connection.begin()
                return [job]
            if _is_disconnect(error):
                raise _as_ours(error) from error
            return None
        done.append(job)
        if time.perf_counter() > until:
            break
    return done


def _run_apart(connection: Connection, batch: list[Job]) -> None:
    connection.begin()
    for job in batch:
        savepoint = connection.begin_nested()
        try:
            job.value = job.fn(connection)
            savepoint.commit()
        except Crash:
            _roll_back(connection)
            raise
        except Exception as error:  # noqa: BLE001 - it is the caller's answer.
            savepoint.rollback()
            scratch(connection).clear()
            job.error = _as_ours(error)


def _roll_back(connection: Connection) -> None:
    scratch(connection).clear()
    connection.rollback()


def _is_disconnect(error: Exception) -> bool:
    return isinstance(error, DBAPIError) and bool(error.connection_invalidated)


def _as_ours(error: Exception) -> Exception:
    if isinstance(error, DBAPIError) and (
        error.connection_invalidated or type(error).__name__ == "OperationalError"
    ):
        return Unavailable(
            f"The database cannot be written: {error.orig}.",
            hint="Check the disk or the database server.",
        )
    return error


def _answer(batch: list[Job]) -> None:
    by_loop: dict[asyncio.AbstractEventLoop, list[Job]] = {}
    for job in batch:
        if job.loop is None:
            _resolve(job)
        else:
            by_loop.setdefault(job.loop, []).append(job)
    for loop, jobs in by_loop.items():
        # A loop that was closed meanwhile has nobody left to answer.
        if not loop.is_closed():
            loop.call_soon_threadsafe(_resolve_all, jobs)


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
