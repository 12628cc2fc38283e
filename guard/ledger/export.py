"""Decisions as they leave the house: all that are asked for, the oldest first, a page at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, text

from guard.ledger.entry import Recorded
from guard.ledger.filters import DecisionFilter, Fits, selected
from guard.ledger.listing import shown_whole
from guard.ledger.reading import UNREADABLE, recorded_from
from guard.ledger.tables import decisions

ROWS_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True)
class ExportedPage:
    """Decisions as `decisions show` has them, the ids of unreadable ones, and how many were seen.

    Each decision has its digest under `chain`, by which its row is known again.
    """

    decisions: list[dict[str, Any]]
    unreadable: list[str]
    seen: int


def begin(connection: Connection) -> None:
    """Let everything that follows see the ledger as it is now; the first thing of a transaction."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))


def pages(connection: Connection, wanted: DecisionFilter) -> Iterator[ExportedPage]:
    """Yield what fits, the oldest first; no more than a page is in memory."""
    fits = Fits(connection, wanted)
    statement = (
        selected(wanted)
        .add_columns(decisions.c.chain, decisions.c.seq, decisions.c.digest)
        .order_by(None)
        .order_by(decisions.c.id)
        .limit(ROWS_AT_ONCE)
    )
    last, seen = "", 0
    while True:
        rows = connection.execute(statement.where(decisions.c.id > last)).all()
        if rows:
            last, seen = rows[-1].id, seen + len(rows)
            yield _page(connection, rows, fits, seen)
        if len(rows) < ROWS_AT_ONCE:
            return


def _page(connection: Connection, rows: Any, fits: Fits, seen: int) -> ExportedPage:
    found: list[tuple[Any, Recorded]] = []
    unreadable = []
    for row in rows:
        try:
            stated = recorded_from(row)
        except UNREADABLE:
            unreadable.append(row.id)
            continue
        if fits(stated):
            found.append((row, stated))
    shown = shown_whole(connection, found)
    for one, (row, _) in zip(shown, found, strict=True):
        one["chain"]["digest"] = row.digest
    return ExportedPage(shown, unreadable, seen)
