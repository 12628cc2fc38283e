"""Every text that people read, reworded in the database: what a program decides must stay the same.

A program decides by columns, enums and fields. `Rewording` stands in for the failpoints of a whole
play and rewrites every text after each commit; `reword` does it once.
"""

from __future__ import annotations

import threading

from sqlalchemy import Column, Connection, Engine, create_engine, update

from kernel.failpoints import Failpoints
from kernel.tables import metadata

# The names of columns that hold sentences; a text under another name has to be named here.
NAMES = frozenset({"reason", "result", "hint"})
# What an act states word by word is evidence: altered, it counts for nothing (law 20).
STATED = frozenset({("guard_holds", "reason")})
OTHER_WORDS = "Reworded: {count} of them, anew and otherwise."


def texts() -> list[Column[str]]:
    """Return every column that holds a sentence for people."""
    return [
        column
        for table in metadata.sorted_tables
        if not table.name.startswith(("test_", "tests_"))
        for column in table.columns
        if column.name in NAMES and (table.name, column.name) not in STATED
    ]


def reword(connection: Connection) -> int:
    """Give every text that is not empty other words; return how many were given."""
    count = 0
    for column in texts():
        is_said = column.is_not(None) & (column != "") & (column != OTHER_WORDS)
        statement = update(column.table).where(is_said).values({column.name: OTHER_WORDS})
        count += connection.execute(statement).rowcount
    return count


class Rewording(Failpoints):
    """Failpoints after whose commits every text in the database is another."""

    def __init__(self, url: str) -> None:
        self._engine: Engine = create_engine(url)
        self._lock = threading.Lock()
        self.count = 0

    def reach(self, failpoint: str, moment: str) -> None:
        """Reword everything that the commit may have written."""
        if moment == "after-commit":
            with self._lock, self._engine.begin() as connection:
                self.count += reword(connection)

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()
