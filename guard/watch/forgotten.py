"""Own writes in Dataverse that the database does not know: it is older than what this guard did.

A row names its last writer, and that is us alone after a revert. Every write of ours is announced
in the database first (law 7). So a row that we wrote last, with guarded columns that its copy does
not hold and that nothing explains, and no announcement as young as that write, was written by a
guard whose database is gone: an older one was put in its place. What was withdrawn since then it
does not know, so all approvals rest until each was looked up again (law 18).

Nothing less is a sign. What others changed meanwhile is what a guard finds that was down. A row
that holds what the copy holds may have been written as us by a plug-in of the organisation, which
runs as whoever began. Who writes in our name (`on_behalf_by`) is not us.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

from guard.columns.table import APPROVAL, REJECTED, TABLES
from guard.identity import OwnIdentity
from guard.ledger import mirror, own_writes
from guard.ledger.entry import MirrorRow
from guard.ledger.port import Ledger
from guard.ports.metrics import GuardMetrics
from guard.ports.rows import Rows, StoredRow
from guard.watch.differences import Differences, is_suspect
from kernel import recall
from kernel.clock import Clock
from kernel.database import Database
from kernel.log import get_logger

# So much the two clocks may go apart between an announcement and now: each measures a span alone.
CLOCKS_APART = timedelta(hours=1)
MOST_NAMED = 20
log = get_logger("guard")


class ForgottenWrites:
    """Looks for writes of our own that the database has forgotten."""

    def __init__(
        self,
        database: Database,
        rows: Rows,
        ledger: Ledger,
        identity: OwnIdentity,
        clock: Clock,
        metrics: GuardMetrics,
    ) -> None:
        self._database = database
        self._rows = rows
        self._identity = identity
        self._clock = clock
        self._metrics = metrics
        self._differences = Differences(rows, ledger)
        # What was noticed stays so until its row was judged, and lets all rest only once.
        self._noticed: set[tuple[str, datetime | None]] = set()
        self._looking = asyncio.Lock()

    async def look(self) -> Sequence[str]:
        """Return the rows that show such a write, each once; all approvals rest from then on.

        Has to come before whatever takes the rows over. Nothing is found while it is not known who
        we are. Raises a GuardError when Dataverse can't be read.
        """
        async with self._looking:
            found = [row for name in TABLES for row in await self._forgotten(name)]
            if not found:
                return ()
            now = self._clock.now()
            # Whom persons withdrew since is told by nothing in Dataverse.
            count = await self._database.write(
                lambda c: recall.recall(c, withdrawn=(), by="", reason="", now=now),
                failpoint=recall.RECALLED,
            )
            self._noticed.update((row.record_id, row.modified_at) for row in found)
        ids = [row.record_id for row in found]
        self._metrics.watched("restore")
        log.error(
            "database_forgot_own_writes",
            rows=len(ids),
            record_ids=sorted(ids)[:MOST_NAMED],
            resting=count,
            hint="Withdraw again what persons withdrew since the database was saved.",
        )
        return ids

    async def _forgotten(self, name: str) -> list[StoredRow]:
        """Return the rows of a table that we wrote last, and of which that is not known."""
        user_id = self._identity.user_id
        if user_id is None:
            return []
        is_first = not await self._database.read(lambda c: mirror.has_baseline(c, name))
        found = []
        async for page in self._rows.pages(name, written_by=user_id):
            ids = [row.record_id for row in page]
            known = await self._known(name, ids)
            for row in page:
                copy = known.get(row.record_id)
                if (row.record_id, row.modified_at) in self._noticed:
                    continue
                # Of rows that nobody has seen yet nothing is forgotten.
                if (copy is None and is_first) or not _is_telling(row, copy):
                    continue
                if await self._is_forgotten(row):
                    found.append(row)
        return found

    async def _known(self, name: str, ids: Sequence[str]) -> dict[str, MirrorRow]:
        return await self._database.read(lambda c: mirror.list_by_ids(c, name, ids))

    async def _is_forgotten(self, row: StoredRow) -> bool:
        # (1) What differs now, the copy looked up first; whoever wrote meanwhile is seen next time.
        found = await self._differences.read(row.table, row.record_id, now=self._clock.now())
        if found is None or found.row.etag != row.etag or row.quiet_for is None:
            return False
        # (2) What the database knows of it explains it, or it was refused and waits for a person.
        if await self._differences.explained(found) is not None:
            return False
        if await self._differences.refusals_of(found):
            return False
        # (3) An announcement as young as the write, whatever became of it since.
        announced_at = await self._database.read(lambda c: own_writes.last_on(c, row.record_id))
        if announced_at is None:
            return True
        return self._clock.now() - announced_at > row.quiet_for + CLOCKS_APART


def _is_telling(row: StoredRow, copy: MirrorRow | None) -> bool:
    """Return whether a row that we wrote last holds what only a revert of ours leaves behind."""
    if row.on_behalf_by is not None:
        return False
    if copy is None:
        # What is made anew may be made as us; a rejected Create is ours.
        return row.columns.get(APPROVAL) == REJECTED
    return is_suspect(row, copy)
