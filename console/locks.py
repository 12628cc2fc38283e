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

from kernel.errors import Conflict


class AlreadyRunning(Conflict):
    """Another process has this role on the same data."""

    code = "already-running"
    exit_code = 2


@contextmanager
def exclusive(database_file: Path | None, role: str) -> Iterator[None]:
    """Hold a role (`serve`, `loop`) on a database file; nothing is locked on a server.

    Raises AlreadyRunning naming the process that holds it.
    """
    if database_file is None:
        yield
        return
    database_file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = database_file.with_name(f"{database_file.name}.{role}.lock")
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 32).decode("ascii", "replace").strip() or "another process"
            raise AlreadyRunning(
                f"Process {holder} already runs `{role}` on {database_file}.",
                hint="Stop it, give this one another MAILBOX_GUARD_DATA_DIR, or use PostgreSQL.",
            ) from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode("ascii"))
        yield
    finally:
        os.close(descriptor)


def is_held(database_file: Path | None, role: str) -> bool:
    """Return whether some process holds the role at this moment."""
    if database_file is None:
        return False
    path = database_file.with_name(f"{database_file.name}.{role}.lock")
    if not path.exists():
        return False
    descriptor = os.open(path, os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
