"""One process serves, and one process loops, on one SQLite file; others are told why not.

A lock is an advisory lock of the operating system on a side-car file: it ends with its process,
however that ends. PostgreSQL needs none: there many processes share the work.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kernel.errors import Conflict, SettingInvalid

_DOES = {"serve": "serves", "loop": "runs the sync loop"}


class AlreadyRunning(Conflict):
    """Another process has this role on the same data."""

    code = "already-running"
    exit_code = 2


def make_directory(database_file: Path) -> None:
    """Make the directory of a database file, for its owner alone, when it is missing.

    Raises SettingInvalid when it cannot be had.
    """
    try:
        database_file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise _unusable(database_file.parent, error) from error


@contextmanager
def exclusive(database_file: Path | None, role: str) -> Iterator[None]:
    """Hold a role (`serve`, `loop`) on a database file; nothing is locked on a server.

    Raises AlreadyRunning naming the process that holds it.
    """
    if database_file is None:
        yield
        return
    make_directory(database_file)
    path = database_file.with_name(f"{database_file.name}.{role}.lock")
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise _unusable(database_file.parent, error) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 32).decode("ascii", "replace").strip() or "another process"
            raise AlreadyRunning(
                f"Process {holder} already {_DOES[role]} on {database_file}.",
                hint="Stop it, give this one another MAILBOX_GUARD_DATA_DIR, or use PostgreSQL.",
            ) from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode("ascii"))
        yield
    finally:
        os.close(descriptor)


def _unusable(directory: Path, error: OSError) -> SettingInvalid:
    return SettingInvalid(
        f"The data directory {directory} cannot be used: {error.strerror}.",
        hint="Set MAILBOX_GUARD_DATA_DIR to a directory that this user may write.",
    )
