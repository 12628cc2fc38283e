"""The rows that deliveries told of lately and that nobody has read since: to be read soon.

A delivery's word makes nothing known good, so what it tells of is read. This is in memory and
bounded: what is lost or did not fit is found by the next reconciliation.
"""

from __future__ import annotations

MOST_TOLD = 1000


class ToldRows:
    """Rows by table and id, each once, the one that was told of first in front."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str], None] = {}

    def add(self, table: str, record_id: str) -> None:
        """Remember a row, unless too many wait."""
        if record_id and len(self._rows) < MOST_TOLD:
            self._rows[table, record_id] = None

    def take(self, most: int) -> list[tuple[str, str]]:
        """Return so many rows and forget them."""
        taken = list(self._rows)[:most]
        for one in taken:
            del self._rows[one]
        return taken
