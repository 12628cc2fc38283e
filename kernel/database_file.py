"""The file of an embedded database while a process works on it: which one it is, how much it grew.

A file that was unlinked or replaced takes every commit and loses it, and what others write is never
seen. So the file and its side-cars are known by device and inode from the moment it is opened, and
whoever reads or writes asks here first; a difference stops both. A connection of our own keeps the
side-cars in being: SQLite removes them with the last connection.

SQLite's write-ahead log is written back into the file only while nobody reads from it, so that
under load it would grow without end. The writer therefore empties it from time to time.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from pathlib import Path

from kernel.errors import Unavailable

# Beyond so much the log is emptied between two batches, and in a quiet moment when it has less.
MOST_LOG_BYTES = 16 * 1024 * 1024
QUIET_LOG_BYTES = 1024 * 1024
# A reader that holds on to the log keeps it from being emptied; then it is tried again so much on.
_AGAIN_BYTES = 4 * 1024 * 1024
# How long the writer waits for readers to let go of the log.
_PATIENCE_MILLISECONDS = 250

_Identity = tuple[int, int]


class DatabaseFile:
    """One file and its side-cars, from `hold` to `let_go`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._log = Path(f"{path}-wal")
        self._pin: sqlite3.Connection | None = None
        self._known: tuple[tuple[str, _Identity], ...] = ()
        self._empty_at = MOST_LOG_BYTES

    def hold(self) -> None:
        """Remember which files they are. Raises sqlite3.Error when there is no such database."""
        self._pin = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        self._pin.execute("PRAGMA journal_mode=WAL")
        self._pin.execute("SELECT count(*) FROM sqlite_master").fetchall()
        found = ((str(path), _identity(str(path))) for path in self._paths())
        self._known = tuple((path, identity) for path, identity in found if identity is not None)

    def let_go(self) -> None:
        """Close the connection of our own."""
        if self._pin is not None:
            self._pin.close()
            self._pin = None

    def check(self) -> None:
        """Raise Unavailable when one of the files is no longer the one that was opened."""
        for path, identity in self._known:
            if _identity(path) != identity:
                raise Unavailable(
                    f"The database file {path} is not the one that was opened: it was removed or "
                    "replaced while this process runs.",
                    hint="Put the file back, or stop every process of Mailbox Guard and start "
                    "them again on the file that is meant.",
                )

    def tidy(self, *, is_quiet: bool) -> None:
        """Empty the log when it has grown too much, or enough for a quiet moment."""
        if self._log_bytes() >= (QUIET_LOG_BYTES if is_quiet else self._empty_at):
            self._empty_log()

    def _log_bytes(self) -> int:
        try:
            return os.stat(self._log).st_size
        except OSError:
            return 0

    def _empty_log(self) -> None:
        """Write the log back into the file and cut it off; readers that hold on to it win."""
        if self._pin is None:
            return
        self._pin.execute(f"PRAGMA busy_timeout={_PATIENCE_MILLISECONDS}")
        # What a full disk or a reader keeps from being done is tried again.
        with suppress(sqlite3.Error):
            self._pin.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        self._empty_at = max(MOST_LOG_BYTES, self._log_bytes() + _AGAIN_BYTES)

    def _paths(self) -> tuple[Path, ...]:
        return self.path, self._log, Path(f"{self.path}-shm")


def _identity(path: str) -> _Identity | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino
