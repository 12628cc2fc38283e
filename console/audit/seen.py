"""What the guard and the sync have on record, asked of the database."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, func, select

from guard.ledger import own_writes
from guard.ledger.tables import decisions
from kernel.held_approval import approvals
from kernel.ids import first_id
from rules.operators.fields import fold
from sync.store.tables import access


class SeenInDatabase:
    """Answers for the comparison; a mailbox is known by its address and its evidence's names."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.reads_since: datetime | None = connection.scalar(select(func.min(access.c.at)))
        self.decisions_since: datetime | None = connection.scalar(
            select(func.min(decisions.c.decided_at))
        )
        self._records: dict[str, set[str]] = {}
        rows = select(approvals.c.record_id, approvals.c.address, approvals.c.evidence)
        for record_id, address, evidence in connection.execute(rows):
            stated = evidence.values() if isinstance(evidence, dict) else ()
            for name in (address, *stated):
                if isinstance(name, str) and "@" in name:
                    self._records.setdefault(fold(name), set()).add(record_id)

    def is_watched(self, mailbox: str) -> bool:
        """Return whether a mailbox with that sign-in name or address was ever held approved."""
        return fold(mailbox) in self._records

    def has_access(self, mailbox: str, begin: datetime, end: datetime) -> bool:
        """Return whether the sync read anything of that mailbox within that time."""
        found = select(access.c.id).where(
            access.c.record_id.in_(sorted(self._records.get(fold(mailbox), ()))),
            access.c.at.between(begin, end),
        )
        return self._connection.execute(found.limit(1)).first() is not None

    def has_decision(self, record_id: str, begin: datetime, end: datetime) -> bool:
        """Return whether a decision is about that row within that time, or our own write."""
        found = select(decisions.c.id).where(
            decisions.c.record_id == record_id,
            decisions.c.id >= first_id(begin),
            decisions.c.decided_at.between(begin, end),
        )
        if self._connection.execute(found.limit(1)).first() is not None:
            return True
        issued = own_writes.list_on(self._connection, record_id, since=begin)
        return any(one.issued_at <= end for one in issued)
