"""The database: SQLite embedded, PostgreSQL beyond one machine, by the same statements.

Storage functions are plain `fn(connection, …) -> value`. Writing goes through the writer thread
(kernel.writer), reading through a few reader threads. SQLite runs in WAL mode with
synchronous=FULL: what was answered survives a power cut, and nothing is read from, or written to, a
file that is no longer the one that was opened (kernel.database_file).
"""

from __future__ import annotations

import asyncio
import os
import socket
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakSet

from sqlalchemy import Connection, Engine, Table, create_engine, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import QueuePool

from kernel.database_file import DatabaseFile
from kernel.errors import SettingInvalid, Unavailable
from kernel.failpoints import FAILPOINTS, NONE, Failpoints
from kernel.outage import as_ours
from kernel.tables import metadata
from kernel.writer import MAX_BATCH_SECONDS, Job, OutcomeSink, Writer

T = TypeVar("T")

READERS = 4
# How long a statement waits for a lock that another process holds, on both databases.
BUSY_SECONDS = 10.0
# How long a silent PostgreSQL server may keep a connection hanging, and any database a reader.
SILENCE_SECONDS = 15
# How much longer than its deadline a write that has begun is waited for: its commit is near.
NEAR_SECONDS = 5.0
# How long closing waits for what is under way.
CLOSING_SECONDS = 5.0

_HINT = "Check the disk or the database server."


def _text(stored: bytes) -> str:
    # Bytes that are no text were put there by others; they must not keep the rest from being read.
    return stored.decode("utf-8", "replace")


def too_slow(seconds: float) -> Unavailable:
    """Return the error for what was not written within its deadline."""
    return Unavailable(f"The database did not write within {seconds:g} seconds.", hint=_HINT)


def unanswered(seconds: float) -> Unavailable:
    """Return the error for a write that began and of which nothing more was heard."""
    return Unavailable(
        f"The database did not answer within {seconds:g} seconds. What was being written may be "
        "there or not.",
        hint=_HINT,
    )


class Database:
    """One database, opened by one process.

    `url` is `sqlite:///path` or `postgresql+psycopg://…` (plain `postgresql://` is understood).
    With `is_copy` it is a SQLite file that nobody may or does write: it is read as it lies there.
    """

    def __init__(
        self,
        url: str,
        *,
        is_copy: bool = False,
        failpoints: Failpoints = NONE,
        busy_seconds: float = BUSY_SECONDS,
        batch_seconds: float = MAX_BATCH_SECONDS,
    ) -> None:
        self.url = _checked_url(url)
        self.dialect = "sqlite" if self.url.startswith("sqlite") else "postgresql"
        self._is_copy = is_copy
        self._writer_engine = _engine(self.url, pool_size=1, busy_seconds=busy_seconds)
        self._reader_engine = (
            _copy_engine(self.url)
            if is_copy
            else _engine(self.url, pool_size=READERS, busy_seconds=busy_seconds, read_only=True)
        )
        self._file = None if is_copy else _file_of(self.url)
        self._writer = Writer(
            self._writer_engine, failpoints, batch_seconds=batch_seconds, file=self._file
        )
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="database-reader")
        self._lines: WeakSet[Any] = WeakSet()
        if self.dialect == "postgresql":
            for engine in (self._writer_engine, self._reader_engine):
                event.listen(engine, "connect", lambda line, _: self._lines.add(line))
        self._opened = False

    def open(self) -> None:
        """Start the writer. Raises Unavailable when the database cannot be reached."""
        try:
            with self._reader_engine.connect():
                pass
            if self._file is not None:
                self._file.hold()
        except (DBAPIError, sqlite3.Error) as error:
            reason = getattr(error, "orig", None) or error
            raise Unavailable(
                f"The database cannot be opened: {str(reason).strip()}.",
                hint="Check MAILBOX_GUARD_DATABASE_URL and MAILBOX_GUARD_DATA_DIR.",
            ) from error
        if not self._is_copy:
            self._writer.start()
            self._opened = True

    def close(self) -> None:
        """Write what waits, then let go of every connection; one that hangs is broken off."""
        breaking = threading.Timer(CLOSING_SECONDS, self._break_off)
        breaking.daemon = True
        breaking.start()
        if self._opened:
            self._writer.stop()
        self._readers.shutdown()
        breaking.cancel()
        self._reader_engine.dispose()
        self._writer_engine.dispose()
        if self._file is not None:
            self._file.let_go()
        self._opened = False

    def _break_off(self) -> None:
        """Cut the lines to a server: whoever waits for an answer on one gets an error instead."""
        for line in tuple(self._lines):
            # One that is closed already has no number any more.
            with suppress(Exception), socket.socket(fileno=os.dup(line.fileno())) as cut:
                cut.shutdown(socket.SHUT_RDWR)

    def create_tables(self) -> None:
        """Create every declared table that is missing: for tests; elsewhere migrations do it."""
        with self._writer_engine.begin() as connection:
            metadata.create_all(connection)

    @property
    def write_failure(self) -> Unavailable | None:
        """Return why the last write that was tried could not be done; None once one was."""
        return self._writer.failure

    @property
    def engine(self) -> Engine:
        """The writing engine, for migrations only."""
        return self._writer_engine

    async def write(
        self,
        fn: Callable[[Connection], T],
        *,
        failpoint: str,
        deadline_seconds: float | None = None,
    ) -> T:
        """Run `fn` in a transaction and return its value once that is durable.

        `fn` touches nothing but the connection and may run a second time. Raises what `fn` raises,
        Unavailable when the database cannot be written, or could not within the deadline; then
        nothing of `fn` was written, unless the connection broke, or hung, while it was committing.
        A caller that is cancelled before its turn leaves nothing either.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        job = Job(fn, _known(failpoint), future, loop)
        self._writer.put(job)
        if deadline_seconds is None:
            try:
                return await future
            except asyncio.CancelledError:
                job.give_up()
                raise
        try:
            return await asyncio.wait_for(asyncio.shield(future), deadline_seconds)
        except TimeoutError:
            # Whoever claims the job first has it: either it never runs, or its commit is near.
            if job.give_up():
                raise too_slow(deadline_seconds) from None
            return await _near(future, deadline_seconds + NEAR_SECONDS)
        except asyncio.CancelledError:
            job.give_up()
            raise

    def submit(self, fn: Callable[[Connection], T], *, failpoint: str, answer: OutcomeSink) -> Job:
        """Let `fn` be run as by `write`, and return the job, which may be given up meanwhile.

        For a caller who gathers its own batches and needs neither task nor coroutine for each:
        `answer` is told on the calling event loop.
        """
        job = Job(fn, _known(failpoint), answer, asyncio.get_running_loop())
        self._writer.put(job)
        return job

    async def read(self, fn: Callable[[Connection], T]) -> T:
        """Run `fn` on a reading connection, in a thread, and return its value.

        Raises what `fn` raises, and Unavailable when the database cannot be read or says nothing.
        """
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(SILENCE_SECONDS):
                return await loop.run_in_executor(self._readers, self.read_now, fn)
        except TimeoutError:
            raise Unavailable(
                f"The database did not answer within {SILENCE_SECONDS} seconds.", hint=_HINT
            ) from None

    def write_now(self, fn: Callable[[Connection], T], *, failpoint: str) -> T:
        """Do as `write`, from code without an event loop."""
        if self._is_copy:
            raise Unavailable(
                "This is a copy of a database, which is only read.",
                hint="Run it on the database itself, where this user may write.",
            )
        future: Future[T] = Future()
        self._writer.put(Job(fn, _known(failpoint), future, None))
        return future.result()

    def read_now(self, fn: Callable[[Connection], T]) -> T:
        """Do as `read`, in this thread."""
        if self._file is not None:
            self._file.check()
        try:
            with self._reader_engine.connect() as connection:
                return fn(connection)
        except (DBAPIError, PoolTimeout) as error:
            ours = as_ours(error, "read")
            if ours is error:
                raise
            raise ours from error


def _file_of(url: str) -> DatabaseFile | None:
    path = make_url(url).database
    return DatabaseFile(Path(path)) if url.startswith("sqlite") and path else None


def insert(connection: Connection, table: Table) -> Any:
    """Return an INSERT that knows `on_conflict_do_update` and `on_conflict_do_nothing`.

    Both databases spell it alike; SQLAlchemy has one class for each.
    """
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)


async def _near(future: asyncio.Future[T], seconds: float) -> T:
    """Return what a write gives that has begun; `seconds` is how long it was waited for then."""
    try:
        return await asyncio.wait_for(asyncio.shield(future), NEAR_SECONDS)
    except TimeoutError:
        raise unanswered(seconds) from None


def _known(failpoint: str) -> str:
    if failpoint not in FAILPOINTS:
        raise KeyError(f"no failpoint is named {failpoint}; register it with kernel.failpoints")
    return failpoint


def _checked_url(url: str) -> str:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        # The parser's own error may repeat the URL, and with it a password.
        raise SettingInvalid(
            "MAILBOX_GUARD_DATABASE_URL is not a database URL.", hint=_URL_HINT
        ) from None
    backend = parsed.get_backend_name()
    if backend == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    elif backend != "sqlite":
        raise SettingInvalid(
            f"MAILBOX_GUARD_DATABASE_URL names `{backend}`, which is not served.", hint=_URL_HINT
        )
    elif parsed.database in (None, "", ":memory:"):
        raise SettingInvalid(
            "MAILBOX_GUARD_DATABASE_URL names no file, and memory does not last.", hint=_URL_HINT
        )
    else:
        parsed = parsed.set(drivername="sqlite")
    return parsed.render_as_string(hide_password=False)


_URL_HINT = "Use sqlite:///path/to/file.db or postgresql://user@host/name."


def _engine(url: str, *, pool_size: int, busy_seconds: float, read_only: bool = False) -> Engine:
    busy_milliseconds = int(busy_seconds * 1000)
    if url.startswith("sqlite"):
        return _sqlite_engine(
            url, pool_size=pool_size, busy_milliseconds=busy_milliseconds, read_only=read_only
        )
    engine = create_engine(
        url,
        poolclass=QueuePool,
        pool_size=pool_size,
        max_overflow=0,
        pool_pre_ping=True,
        hide_parameters=True,
        # An INSERT whose key the server makes has RETURNING behind it, and would lose its rowcount.
        execution_options={"preserve_rowcount": True},
        connect_args={
            "connect_timeout": SILENCE_SECONDS,
            "keepalives_idle": SILENCE_SECONDS,
            "tcp_user_timeout": SILENCE_SECONDS * 1000,
        },
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, record: Any) -> None:
        connection.execute(f"SET lock_timeout = {busy_milliseconds}")
        if read_only:
            connection.execute("SET default_transaction_read_only = on")
        connection.commit()

    return engine


def _copy_engine(url: str) -> Engine:
    """Return an engine that leaves the file and its directory as they are.

    A log beside the file that was not taken over yet has to be read with it, which needs more of
    SQLite than a file that cannot change.
    """
    path = Path(str(make_url(url).database)).absolute()
    log = path.with_name(path.name + "-wal")
    is_whole = not log.exists() or log.stat().st_size == 0
    address = f"{path.as_uri()}?mode=ro{'&immutable=1' * is_whole}"

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(address, uri=True, check_same_thread=False)
        connection.execute("PRAGMA query_only=ON")
        connection.text_factory = _text
        return connection

    return create_engine("sqlite://", creator=connect, poolclass=QueuePool, hide_parameters=True)


def _sqlite_engine(url: str, *, pool_size: int, busy_milliseconds: int, read_only: bool) -> Engine:
    engine = create_engine(
        url, poolclass=QueuePool, pool_size=pool_size, max_overflow=0, hide_parameters=True
    )
    pragmas = [
        f"busy_timeout={busy_milliseconds}",
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
    ]
    if read_only:
        pragmas.append("query_only=ON")
    begin = "BEGIN" if read_only else "BEGIN IMMEDIATE"

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, record: Any) -> None:
        # The driver's own transaction handling is off: BEGIN is ours, see below.
        connection.isolation_level = None
        connection.text_factory = _text
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin_transaction(connection: Connection) -> None:
        # Through the driver itself: on this way it is a tenth of a group commit's own cost.
        driver: Any = connection.connection.driver_connection
        try:
            driver.execute(begin)
        except sqlite3.Error as error:
            raise DBAPIError.instance(
                begin, None, error, sqlite3.Error, hide_parameters=True
            ) from error

    return engine
