"""What the database driver raises becomes Unavailable, alike on both databases.

Everything that a later try may mend is an outage: a lost connection, a lock that was not given, a
full disk, a schema that is not there yet, pages that are damaged until a backup replaces them. What
a statement did wrong stays what it is.
"""

from __future__ import annotations

import sqlite3

from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from kernel.errors import Unavailable

# undefined_table and undefined_column: SQLite counts them as operational anyway.
_SCHEMA_IS_BEHIND = ("42P01", "42703")
# data_corrupted and index_corrupted.
_DAMAGED = ("XX001", "XX002")


def as_ours(error: BaseException, verb: str) -> BaseException:
    """Return Unavailable for an outage, and any other error as it is.

    `verb` says what could not be done: "read", "written", "opened".
    """
    if isinstance(error, StopIteration):
        # No future accepts one, and none means anything to whoever waits.
        return RuntimeError(f"A storage function raised {error!r}.")
    if not is_outage(error):
        return error
    reason = getattr(error, "orig", None) or error
    ours = Unavailable(f"The database cannot be {verb}: {str(reason).strip()}.", hint=_mend(reason))
    ours.__cause__ = error
    return ours


def _mend(reason: object) -> str:
    if _is_of_schema(reason):
        return "Run `mailbox-guard db upgrade`."
    if _is_of_damage(reason):
        return "Check the disk, and put back the newest backup."
    return "Check the disk or the database server."


def _is_of_schema(reason: object) -> bool:
    """Return whether the statement met another schema than it was written for."""
    # SQLite's general code is what it gives for tables and columns that are not there.
    return (
        getattr(reason, "sqlstate", None) in _SCHEMA_IS_BEHIND
        or getattr(reason, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR
    )


def _is_of_damage(reason: object) -> bool:
    """Return whether the database met pages that are not what was written there."""
    code = getattr(reason, "sqlite_errorcode", None)
    # The low byte is the kind; what stands above it says of what.
    return getattr(reason, "sqlstate", None) in _DAMAGED or (
        isinstance(code, int) and code & 0xFF == sqlite3.SQLITE_CORRUPT
    )


def is_outage(error: BaseException) -> bool:
    """Return whether a later try may succeed without any change to the statement."""
    if isinstance(error, OperationalError | PoolTimeout):
        return True
    if not isinstance(error, DBAPIError):
        return False
    return (
        bool(error.connection_invalidated)
        or getattr(error.orig, "sqlstate", None) in _SCHEMA_IS_BEHIND
        or _is_of_damage(error.orig)
    )
