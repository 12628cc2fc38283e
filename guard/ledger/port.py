"""The ledger as the rest of the guard sees it, and its twin that keeps everything in memory.

Terms:

- *Entry*: a decision to be recorded. *Recorded*: the same, read back or just written.
- *Effects*: what becomes durable in the same transaction: withdrawals, tasks, the mirror's copy.
- *Repeat*: an identical delivery, by its key; it gets the recorded answer, and nothing else does.
- *Mirror*: the copies of the guarded rows. A copy holds what the guard itself has read, and says
  which of it is known good: allowed by a decision, or judged by a scan (law 16).
- *Own write*: what the guard announced before it wrote it, found by its *nonce*.
- *Attempt*: a try to change or to approve an address, whatever became of it.
- *Agreement*: what an approver released, and whether it was used.

The port stands with the ledger and not in `ports/`: our own database alone keeps what it promises.
"""

from __future__ import annotations

from collections.abc import Awaitable, Collection, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from guard.columns.compare import address_of, guarded_part
from guard.columns.owner import mailbox_owner_id
from guard.columns.table import TABLES, TableRole
from guard.ledger.entry import (
    NO_EFFECTS,
    Effects,
    Entry,
    MirrorRow,
    Recorded,
    recorded,
)
from guard.ledger.own_writes import OwnWrite
from guard.ledger.parked import Agreement, OpenHolds
from guard.ledger.recent import Attempt, attempt_of
from rules.engine.policy_set import PolicySet

ALLOWED = ("allow", "warn")


class Ledger(Protocol):
    """Where decisions become durable, and what is remembered of them."""

    def record(
        self,
        entry: Entry,
        *,
        effects: Effects = NO_EFFECTS,
        policy_set: PolicySet | None = None,
        deadline_seconds: float | None = None,
    ) -> Awaitable[Recorded]:
        """Make the decision durable with its effects, then return it.

        An identical delivery that was recorded before is returned instead, and nothing is written.
        Raises Unavailable when it could not be written within the deadline; then nothing was.
        """
        ...

    async def mirrored(self, table: str, record_id: str) -> MirrorRow | None:
        """Return the copy of a row."""
        ...

    async def mailboxes_of(self, owner_id: str) -> Sequence[MirrorRow]:
        """Return the known mailboxes of a user or queue."""
        ...

    async def holders_of(self, *addresses: str) -> Sequence[MirrorRow] | None:
        """Return the known rows with such an address, folded as `columns.compare.address_of` does.

        None until every row has been seen once.
        """
        ...

    async def decisions_on(self, record_id: str, *, since: datetime) -> Sequence[Recorded]:
        """Return the newest decisions on a row made since then, newest first.

        There may be more than are returned; each has its private part unless that was masked.
        """
        ...

    async def recent(self, *, since: datetime) -> Sequence[Attempt]:
        """Return the newest tries to change or approve an address made since then."""
        ...

    async def own_write(self, nonce: str) -> OwnWrite | None:
        """Return what the guard announced to write under that nonce."""
        ...

    async def own_writes_on(self, record_id: str, *, since: datetime) -> Sequence[OwnWrite]:
        """Return what the guard announced since then that may show on a row, newest first."""
        ...

    async def open_holds(self, key: str, requester_id: str) -> OpenHolds:
        """Return the open hold of a change, and how many holds its requester and all have open."""
        ...

    async def agreements_on(
        self, record_ids: Collection[str], requester_id: str | None
    ) -> Sequence[Agreement]:
        """Return what approvers agreed to of these rows, or of that requester's new rows.

        Newest first; what no act states is not among it (law 20).
        """
        ...


class MemoryLedger:
    """A ledger that forgets everything when the process ends: for tests and for measuring."""

    def __init__(self, *, keep: bool = True) -> None:
        self.entries: list[Entry] = []
        self.effects: list[Effects] = []
        self.rows: dict[tuple[str, str], MirrorRow] = {}
        self.writes: dict[str, OwnWrite] = {}
        self.agreements: list[Agreement] = []
        self.failure: Exception | None = None
        self._by_key: dict[str, Entry] = {}
        self._keep = keep

    async def record(
        self,
        entry: Entry,
        *,
        effects: Effects = NO_EFFECTS,
        policy_set: PolicySet | None = None,
        deadline_seconds: float | None = None,
    ) -> Recorded:
        """Keep the decision in a list; with `keep` off, nowhere."""
        if self.failure is not None:
            raise self.failure
        if not self._keep:
            return recorded(entry)
        if entry.key is not None:
            earlier = self._by_key.setdefault(entry.key, entry)
            if earlier is not entry:
                return replace(recorded(earlier), is_repeat=True)
        self.entries.append(entry)
        if effects:
            self.effects.append(effects)
        if effects.mirror is not None:
            self._remember(effects.mirror)
        return recorded(entry)

    def _remember(self, row: MirrorRow) -> None:
        known = self.rows.get((row.table, row.record_id))
        if row.revision == (known.revision if known is not None else 0):
            columns = guarded_part(row.table, row.columns)
            kept = replace(row, columns=columns, revision=row.revision + 1)
            self.rows[row.table, row.record_id] = kept

    async def mirrored(self, table: str, record_id: str) -> MirrorRow | None:
        """Return the copy."""
        return self.rows.get((table, record_id))

    async def mailboxes_of(self, owner_id: str) -> Sequence[MirrorRow]:
        """Return the mailboxes whose regarding row, or else owner, has this id."""
        return [
            row
            for (table, _), row in self.rows.items()
            if TABLES[table].role is TableRole.MAILBOX and mailbox_owner_id(row.columns) == owner_id
        ]

    async def holders_of(self, *addresses: str) -> Sequence[MirrorRow] | None:
        """Return the rows with such an address; whoever fills this ledger has seen them all."""
        rows = self.rows.values()
        return [row for row in rows if address_of(row.table, row.columns) in addresses]

    async def decisions_on(self, record_id: str, *, since: datetime) -> Sequence[Recorded]:
        """Return the decisions on a row, newest first."""
        return [
            recorded(entry)
            for entry in reversed(self.entries)
            if entry.record_id == record_id and entry.decided_at >= since
        ]

    async def recent(self, *, since: datetime) -> Sequence[Attempt]:
        """Return the tries, newest first."""
        found = (attempt_of(e) for e in reversed(self.entries) if e.decided_at >= since)
        return [attempt for attempt in found if attempt is not None]

    async def own_write(self, nonce: str) -> OwnWrite | None:
        """Return what was announced."""
        return self.writes.get(nonce)

    async def own_writes_on(self, record_id: str, *, since: datetime) -> Sequence[OwnWrite]:
        """Return what was announced, newest first."""
        found = [
            one
            for one in self.writes.values()
            if one.issued_at >= since and record_id in one.record_ids
        ]
        return sorted(found, key=lambda one: one.issued_at, reverse=True)

    async def open_holds(self, key: str, requester_id: str) -> OpenHolds:
        """Count what was parked; nobody here ever releases or refuses anything."""
        parked = {one.parked.id: one.parked for one in self.effects if one.parked is not None}
        same = (one.id for one in parked.values() if one.change.key == key)
        theirs = [one for one in parked.values() if one.change.requester_id == requester_id]
        return OpenHolds(next(same, None), len(theirs), len(parked))

    async def agreements_on(
        self, record_ids: Collection[str], requester_id: str | None
    ) -> Sequence[Agreement]:
        """Return what was put in."""
        return [
            one
            for one in self.agreements
            if one.change.record_id in record_ids
            or (one.change.operation == "create" and one.change.requester_id == requester_id)
        ]
