"""An organisation that can be put back to how it was, so that one sandbox serves many runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kernel.failpoints import NONE, Failpoints
from sandbox.server import Sandbox


class Beginning:
    """The rows of some tables as they are now."""

    def __init__(self, sandbox: Sandbox, tables: Sequence[str]) -> None:
        self._sandbox = sandbox
        store = sandbox.dataverse.store
        self._rows: dict[str, dict[str, dict[str, Any]]] = {
            table: {store.key_of(table, row): row for row in store.all(table)} for table in tables
        }

    def restore(self) -> None:
        """Put the rows back, and forget what was seen of the organisation since."""
        store = self._sandbox.dataverse.store
        transaction = store.begin()
        for table, rows in self._rows.items():
            for row in store.all(table):
                if store.key_of(table, row) not in rows:
                    transaction.delete(table, store.key_of(table, row))
            for row in rows.values():
                transaction.put(table, row)
        transaction.commit()
        self._sandbox.dataverse.poster.deliveries.clear()
        self._sandbox.accesses.entries.clear()


class Later(Failpoints):
    """Points that begin to count when they are armed: what leads up to a play is not part of it."""

    def __init__(self) -> None:
        self.armed: Failpoints = NONE

    def reach(self, failpoint: str, moment: str) -> None:
        self.armed.reach(failpoint, moment)

    @property
    def crashed(self) -> bool:
        """Whether the process has met its crash."""
        return bool(getattr(self.armed, "crashed", False))
