"""Mailbox rows in memory: the twin of Dataverse's."""

from __future__ import annotations

from collections import Counter, defaultdict

from cloud.errors import CloudError
from sync.eligibility.port import MailboxRow
from sync.meter import Meter


class MemoryMailboxRows:
    """Mailbox rows that a test puts in; `requests` counts by operation (a method's name)."""

    def __init__(self, *, meter: Meter | None = None) -> None:
        self.meter = meter or Meter()
        self.rows: dict[str, MailboxRow] = {}
        self.profiles: set[str] = set()
        self.requests: Counter[str] = Counter()
        self._faults: dict[str, list[CloudError]] = defaultdict(list)

    def put(self, row: MailboxRow) -> None:
        """Let the organisation hold a mailbox row."""
        self.rows[row.record_id] = row

    def fail_next(self, operation: str, *errors: CloudError) -> None:
        """Answer the next requests of that operation with these errors."""
        self._faults[operation].extend(errors)

    async def mailboxes(self) -> list[MailboxRow]:
        """Return every mailbox row."""
        self._count("mailboxes")
        return list(self.rows.values())

    async def active_profiles(self) -> frozenset[str]:
        """Return the active server profiles."""
        self._count("active_profiles")
        return frozenset(self.profiles)

    def _count(self, operation: str) -> None:
        self.requests[operation] += 1
        self.meter.add("dataverse_requests")
        if self._faults[operation]:
            raise self._faults[operation].pop(0)
