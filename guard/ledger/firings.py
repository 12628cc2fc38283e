"""How often each rule had something to say: counts, kept in the commits of the decisions.

A ledger of a million decisions need not be read to see which rules matter. A *firing* is one
finding on one edit; what merely confirms a decision is about the same edit and is not counted
again. The counts are a convenience: the ledger alone proves anything. Each chain has rows of its
own, so that no process waits for another's.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import chain as joined
from typing import Any, Final

from sqlalchemy import Connection, func, select
from sqlalchemy.exc import DBAPIError

from guard.ledger.entry import Sealed
from guard.ledger.tables import firings

EXCEPTED: Final = "excepted"
_DAY: Final = 86_400_000_000
_FIRST: Final = date(1970, 1, 1)
_ROW: Final = "(?,?,?,?,?)"
_INTO: Final = "INSERT INTO guard_firings (chain, day, rule, effect, count) VALUES "
_ADDED: Final = (
    " ON CONFLICT (chain, day, rule, effect) DO UPDATE SET count = guard_firings.count"
    " + excluded.count"
)
# The driver's limit on parameters is far above; a batch has a handful.
_MOST_ROWS: Final = 64
_Key = tuple[int, str, str]


@dataclass(frozen=True, slots=True)
class Firings:
    """How often a rule fired, by effect, and the last day on which it did."""

    by_effect: dict[str, int] = field(default_factory=dict)
    last_day: date | None = None

    @property
    def count(self) -> int:
        """Return how often it fired, whatever came of it."""
        return sum(self.by_effect.values())


NONE: Final = Firings()


def add(connection: Connection, chain: str, items: Sequence[Sealed]) -> None:
    """Count what the rules said of these decisions. Plain driver statements: the hot path."""
    counted: Counter[_Key] = Counter()
    for item in items:
        # Most decisions have no finding; this look-up is all that they cost.
        found = item.entry.private.get("findings")
        if found and "confirms" not in item.entry.public:
            day = int(item.fields[1] or 0) // _DAY
            counted.update((day, *_rule_and_effect(one)) for one in found)
    if not counted:
        return
    # In one order, so that no two processes wait crosswise where they share a chain all the same.
    rows = [(chain, *key, count) for key, count in sorted(counted.items())]
    for at in range(0, len(rows), _MOST_ROWS):
        _write(connection, rows[at : at + _MOST_ROWS])


def list_since(connection: Connection, since: datetime) -> dict[str, Firings]:
    """Return how often each rule fired since the day of that moment; the rules are policy/rule."""
    statement = (
        select(
            firings.c.rule,
            firings.c.effect,
            func.sum(firings.c.count).label("times"),
            func.max(firings.c.day).label("last_day"),
        )
        .where(firings.c.day >= (since.astimezone(UTC).date() - _FIRST).days, firings.c.rule != "")
        .group_by(firings.c.rule, firings.c.effect)
        .order_by(firings.c.rule, firings.c.effect)
    )
    found: dict[str, Firings] = {}
    for row in connection.execute(statement):
        known = found.get(row.rule, NONE)
        last = _FIRST + timedelta(days=row.last_day)
        found[row.rule] = Firings(
            {**known.by_effect, row.effect: int(row.times)},
            last if known.last_day is None else max(last, known.last_day),
        )
    return found


def counted_since(connection: Connection) -> date | None:
    """Return the first day that was counted; None before anything was."""
    first = connection.scalar(select(func.min(firings.c.day)))
    return None if first is None else _FIRST + timedelta(days=first)


def _rule_and_effect(finding: dict[str, Any]) -> tuple[str, str]:
    effect = EXCEPTED if finding.get("result") == EXCEPTED else finding["effect"]
    return f"{finding['policy']}/{finding['rule']}", effect


def _write(connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    values = tuple(joined.from_iterable(rows))
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(_statement(len(rows)).replace("?", "%s"), values)
        return
    driver: Any = connection.connection.driver_connection
    try:
        driver.execute(_statement(len(rows)), values)
    except sqlite3.Error as error:
        raise DBAPIError.instance(
            _INTO, None, error, sqlite3.Error, hide_parameters=True
        ) from error


@cache
def _statement(rows: int) -> str:
    return _INTO + ",".join([_ROW] * rows) + _ADDED
