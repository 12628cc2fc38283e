"""Rows in memory, and transactions that nobody sees into before they end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Ref:
    """The value of a lookup: a row of some table."""

    table: str
    id: str


class View(Protocol):
    """Rows as somebody sees them."""

    def get(self, table: str, record_id: str) -> Row | None:
        """Return a row, or None."""
        ...

    def all(self, table: str) -> list[Row]:
        """Return the rows of a table in the order of their creation."""
        ...


class Store:
    """The committed rows."""

    def __init__(self, keys: Mapping[str, str]) -> None:
        self._keys = keys
        self._rows: dict[str, dict[str, Row]] = {table: {} for table in keys}
        self._version = 1_000_000

    def get(self, table: str, record_id: str) -> Row | None:
        """Return a committed row, or None."""
        return self._rows[table].get(record_id.lower())

    def all(self, table: str) -> list[Row]:
        """Return the committed rows of a table in the order of their creation."""
        return list(self._rows[table].values())

    def begin(self) -> Transaction:
        """Return a new transaction over the committed rows."""
        return Transaction(self)

    def key_of(self, table: str, row: Row) -> str:
        """Return the primary key of a row."""
        key: str = row[self._keys[table]]
        return key

    def next_version(self) -> int:
        """Return the next row version of the organisation."""
        self._version += 1
        return self._version

    def apply(self, changes: Mapping[tuple[str, str], Row | None]) -> None:
        """Make the changes of an ended transaction visible to everybody at once."""
        for (table, record_id), row in changes.items():
            if row is None:
                self._rows[table].pop(record_id, None)
            else:
                self._rows[table][record_id] = row


class Transaction:
    """Changes that only their own operation sees, until `commit`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._changes: dict[tuple[str, str], Row | None] = {}
        self._after: list[Callable[[], None]] = []

    def get(self, table: str, record_id: str) -> Row | None:
        """Return the row as this transaction sees it."""
        key = (table, record_id.lower())
        return self._changes[key] if key in self._changes else self._store.get(*key)

    def all(self, table: str) -> list[Row]:
        """Return the rows as this transaction sees them."""
        return list(self._seen(table))

    def _seen(self, table: str) -> Iterator[Row]:
        for committed in self._store.all(table):
            seen = self.get(table, self._store.key_of(table, committed))
            if seen is not None:
                yield seen
        for (changed, record_id), row in self._changes.items():
            if changed == table and row is not None and self._store.get(table, record_id) is None:
                yield row

    def put(self, table: str, row: Row) -> Row:
        """Write a whole row; it gets a new version."""
        kept = {**row, "versionnumber": self._store.next_version()}
        self._changes[(table, self._store.key_of(table, row))] = kept
        return kept

    def delete(self, table: str, record_id: str) -> None:
        """Remove a row."""
        self._changes[(table, record_id.lower())] = None

    def after_commit(self, action: Callable[[], None]) -> None:
        """Do this once the changes are visible; nothing happens after a roll-back."""
        self._after.append(action)

    def commit(self) -> None:
        """Make all changes visible, then do what waited for it."""
        self._store.apply(self._changes)
        for action in self._after:
            action()
