"""Rows that differ from what the guard knows of them, read one by one, and what explains them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from guard import known_good
from guard.columns.change import GuardedChange
from guard.columns.table import APPROVAL, APPROVED, MAILBOX, TABLES, TableRole
from guard.ledger.entry import MirrorRow, Recorded
from guard.ledger.port import Ledger
from guard.ports.rows import Rows, StoredRow
from guard.read_back import read_back_change
from guard.receive.delivery import SYNCHRONOUS
from guard.watch.explanation import (
    ANNOUNCED_WITHIN,
    Shared,
    change_of,
    own_written,
    refusals_of,
    steps_to,
    travelled,
)


@dataclass(frozen=True, slots=True)
class RowDifference:
    """A row as it is now, the copy of it, and the change that leads from one to the other.

    `read_at` is when the row was read, by our own clock.
    """

    row: StoredRow
    copy: MirrorRow | None
    change: GuardedChange
    read_at: datetime

    @property
    def names(self) -> tuple[str, ...]:
        """Return which columns differ, by their flat names."""
        return self.change.altered


@dataclass(frozen=True, slots=True)
class Explained:
    """What is known of a row whose difference is explained, and which decisions to confirm.

    Those are the allowed ones, the first in front, whose confirmation did not come, or not yet.
    """

    copy: MirrorRow | None
    unconfirmed: list[Recorded] = field(default_factory=list)


def is_suspect(row: StoredRow, copy: MirrorRow) -> bool:
    """Return whether a row holds something that the copy does not tell of."""
    return known_good.differs(row, copy) or bool(known_good.unknown_access(row, copy))


class Differences:
    """Reads rows and what may explain them. Raises a GuardError when there is no answer."""

    def __init__(self, rows: Rows, ledger: Ledger) -> None:
        self._rows = rows
        self._ledger = ledger

    async def read(self, name: str, record_id: str, *, now: datetime) -> RowDifference | None:
        """Return how a row differs now; None when it doesn't, or is gone.

        The copy is looked up first: whoever changes it meanwhile has read the row later.
        """
        copy = await self._ledger.mirrored(name, record_id)
        row = await self._rows.row(name, record_id)
        if row is None or (copy is not None and not is_suspect(row, copy)):
            return None
        operation = "create" if copy is None else "update"
        change = read_back_change(row, copy, operation=operation, seen_counts=True)
        return RowDifference(row, copy, change, now) if change.altered else None

    async def explained(self, found: RowDifference) -> Explained | None:
        """Return what explains a difference, if anything explains all of it."""
        row, copy, left = found.row, found.copy, set(found.names)
        if TABLES[row.table].address in left and row.columns.get(APPROVAL) != APPROVED:
            # The platform sets the approval back with the address, and says so afterwards only.
            left.discard(APPROVAL)
        decisions = await self._decisions_on(found)
        steps = steps_to(row, copy, left, decisions, now=found.read_at)
        if steps is None and copy is not None:
            since = copy.read_at - ANNOUNCED_WITHIN
            writes = await self._ledger.own_writes_on(row.record_id, since=since)
            left -= own_written(row, left, writes)
            for shared in await self._shared_with(row, copy) if left else ():
                left -= travelled(row, copy, left, decisions, shared)
            steps = steps_to(row, copy, left, decisions, now=found.read_at) if left else []
        if steps is None:
            return None
        taken = found.names if copy is not None else _decided(row, steps)
        known = known_good.allowed(row, copy, row.columns, taken, read_at=found.read_at)
        unconfirmed = [
            one
            for one in reversed(steps)
            if one.public.get("mode") == SYNCHRONOUS and change_of(one, row).is_sensitive
        ]
        return Explained(known, unconfirmed)

    async def refusals_of(self, found: RowDifference) -> list[Recorded]:
        """Return the decisions by which this very difference was refused."""
        decisions = await self._decisions_on(found)
        return refusals_of(found.row, found.copy, found.names, decisions)

    async def _decisions_on(self, found: RowDifference) -> Sequence[Recorded]:
        copy, day_ago = found.copy, found.read_at - timedelta(days=1)
        since = day_ago if copy is None else copy.read_at - known_good.COMMITTED_WITHIN
        return await self._ledger.decisions_on(found.row.record_id, since=since)

    async def _shared_with(self, row: StoredRow, copy: MirrorRow) -> list[Shared]:
        """Return the rows that show the same address and approval, as they are now."""
        if TABLES[row.table].role is TableRole.MAILBOX:
            kind = row.columns.get("regardingobjectid.type")
            others = [(kind, row.columns.get("regardingobjectid.id"))] if kind in TABLES else []
        else:
            mailboxes = await self._ledger.mailboxes_of(row.record_id)
            others = [(MAILBOX.name, one.record_id) for one in mailboxes]
        found = []
        for table, record_id in others:
            other = await self._rows.row(str(table), str(record_id))
            if other is None or not _belong_together(row, other):
                continue
            decisions = await self._ledger.decisions_on(other.record_id, since=copy.read_at)
            found.append(Shared(other, decisions))
        return found


def _decided(row: StoredRow, steps: Sequence[Recorded]) -> list[str]:
    """Return the columns of a new row that decisions spoke of."""
    said = {name for one in steps for name in one.after}
    sensitive = TABLES[row.table].sensitive
    return [
        name
        for name in TABLES[row.table].flat
        if name in said or (name in sensitive and row.columns.get(name) is None)
    ]


def _belong_together(row: StoredRow, other: StoredRow) -> bool:
    """Return whether one row is the mailbox of the other, a user or queue."""
    mailbox, owner = (row, other) if row.table == MAILBOX.name else (other, row)
    return mailbox.columns.get("regardingobjectid.id") == owner.record_id
