"""Counts of what the sync did, kept in memory; a pass is the difference of two readings."""

from __future__ import annotations

from collections import Counter

COUNTS = (
    "mailboxes",
    "listed",
    "tracked",
    "created",
    "linked",
    "updated",
    "skipped",
    "quarantined",
    "sent",
    "removed",
    "graph_requests",
    "dataverse_requests",
)


class Meter:
    """What was done since the process started."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def add(self, name: str, count: int = 1) -> None:
        """Count something. Raises KeyError for a name that no reader knows."""
        if name not in COUNTS:
            raise KeyError(name)
        self._counts[name] += count

    def reading(self) -> dict[str, int]:
        """Return every count."""
        return {name: self._counts[name] for name in COUNTS}

    def since(self, earlier: dict[str, int]) -> dict[str, int]:
        """Return what was counted after an earlier reading."""
        return {name: self._counts[name] - earlier.get(name, 0) for name in COUNTS}
