"""The file of an embedded database: no other file is ever taken for it, and its log is bounded."""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Column, Connection, Integer, Table, Text, func, select

from kernel import database_file
from kernel.database import Database
from kernel.errors import Unavailable
from kernel.failpoints import failpoint
from kernel.tables import metadata

STEP = failpoint("tests.file", "A row of the tests of the database file.")
rows = Table(
    "test_filed", metadata, Column("number", Integer, primary_key=True), Column("text", Text)
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "guard.db"


@pytest.fixture
def opened(path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{path}")
    database.create_tables()
    database.open()
    yield database
    database.close()


def add(number: int, size: int = 1) -> Callable[[Connection], None]:
    def fn(connection: Connection) -> None:
        connection.execute(rows.insert().values(number=number, text="x" * size))

    return fn


def count(connection: Connection) -> int:
    return connection.scalar(select(func.count()).select_from(rows)) or 0


def unlinked(file: Path) -> None:
    file.unlink()


def moved(file: Path) -> None:
    file.rename(file.with_suffix(".aside"))


def restored(file: Path) -> None:
    """Put another file in its place, as who restores a copy beside a running process does."""
    copy = file.with_suffix(".copy")
    shutil.copy(file, copy)
    os.replace(copy, file)


@pytest.mark.parametrize("happens", [unlinked, moved, restored])
@pytest.mark.parametrize("which", ["", "-wal", "-shm"])
def test_a_file_that_is_another_is_neither_read_nor_written(
    opened: Database, path: Path, happens: Callable[[Path], None], which: str
) -> None:
    opened.write_now(add(1), failpoint=STEP)
    happens(Path(f"{path}{which}"))
    with pytest.raises(Unavailable, match="removed or replaced"):
        opened.read_now(count)
    with pytest.raises(Unavailable, match="removed or replaced"):
        opened.write_now(add(2), failpoint=STEP)
    assert opened.write_failure is not None


def test_a_write_that_ended_in_a_file_which_is_gone_is_not_told_to_be_durable(
    opened: Database, path: Path
) -> None:
    def fn(connection: Connection) -> None:
        add(1)(connection)
        moved(path)

    with pytest.raises(Unavailable, match="removed or replaced"):
        opened.write_now(fn, failpoint=STEP)


def test_a_file_that_comes_back_is_gone_on_with(opened: Database, path: Path) -> None:
    opened.write_now(add(1), failpoint=STEP)
    moved(path)
    with pytest.raises(Unavailable):
        opened.write_now(add(2), failpoint=STEP)
    path.with_suffix(".aside").rename(path)
    opened.write_now(add(3), failpoint=STEP)
    assert opened.read_now(count) == 2
    assert opened.write_failure is None


def test_what_another_process_does_properly_is_no_replacement(opened: Database, path: Path) -> None:
    opened.write_now(add(1), failpoint=STEP)
    with sqlite3.connect(path) as other:
        other.execute("INSERT INTO test_filed (number) VALUES (2)")
    other.execute("VACUUM")
    other.close()
    another = Database(f"sqlite:///{path}")
    another.open()
    another.close()
    opened.write_now(add(3), failpoint=STEP)
    assert opened.read_now(count) == 3


def log_bytes(path: Path) -> int:
    return os.stat(f"{path}-wal").st_size


class Readers:
    """Several who read without end, each for a moment: one of them always does."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._read) for _ in range(3)]

    def __enter__(self) -> None:
        for one in self._threads:
            one.start()

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for one in self._threads:
            one.join()

    def _read(self) -> None:
        reader = sqlite3.connect(self._path, isolation_level=None)
        while not self._ended.is_set():
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM test_filed").fetchall()
            self._ended.wait(0.01)
            reader.execute("COMMIT")
        reader.close()


def test_the_log_is_bounded_while_others_read_and_shrinks_in_a_quiet_moment(
    opened: Database, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_file, "MOST_LOG_BYTES", 4 << 20)
    monkeypatch.setattr(database_file, "QUIET_LOG_BYTES", 1 << 16)
    assert opened._file is not None
    opened._file._empty_at = 4 << 20
    largest = 0
    with Readers(path):
        for number in range(600):
            opened.write_now(add(number, 65_536), failpoint=STEP)
            largest = max(largest, log_bytes(path))
    # Some 40 MiB were written; a reader may hold on to the log for one try or two.
    assert largest < 16 << 20
    until = time.monotonic() + 20
    while log_bytes(path) and time.monotonic() < until:
        time.sleep(0.05)  # noqa: TID251 - the writer waits for a quiet moment by real time.
    assert log_bytes(path) == 0
    assert opened.read_now(count) == 600
