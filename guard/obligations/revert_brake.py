"""The brake of reverts: how many were written, and how many are about to be on rows that are there.

Whoever holds the webhook key can have any number of reverts added, about rows that do not exist or
hold nothing that was rejected: only what the guard has read in Dataverse counts. And what the guard
saw itself doesn't wait until those were read: of what waits elsewhere only what a brake stopped
counts there, since each of those was read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, func, or_, select

from guard.case import SEEN_LANE
from guard.ledger.tables import mirror as mirror_table
from guard.ledger.tables import writes as own_writes_table
from guard.obligations.obligation import Means
from guard.obligations.restoration import Rejected, not_standing, restoration, way_back
from guard.own_writes import TAG
from kernel.brake import LEAST, Release, brake
from kernel.tasks import OPEN_STATES, TaskCause, TaskState, tasks

# So many waiting reverts are looked at before one is written; what comes behind them is counted
# when it is written.
MOST_VERIFIED = 100
REVERTS = brake(
    "guard.revert",
    counts="reverts that were written, and those about to be written whose row was read and holds "
    "what was rejected",
    total="rows of the table",
    window=timedelta(seconds=60),
    release=Release.RETRY,
)


@dataclass(frozen=True, slots=True)
class _Counted:
    """A revert that the brake may count, and whether it was written within its window."""

    token: str
    payload: Mapping[str, Any]
    is_written: bool


class RevertBrake:
    """Counts the reverts of one guard; what was read of a waiting one is remembered for a while."""

    def __init__(self, means: Means, *, kind: str) -> None:
        self._means = means
        self._kind = kind
        self._standing: dict[str, tuple[datetime, bool] | None] = {}

    async def is_pulled(self, table: str, *, lane: str) -> bool:
        """Return whether too many were written lately, or are about to be, for one more there."""
        found = await self._means.database.read(lambda c: self._counted(c, lane))
        if len(found) <= LEAST:
            # The usual case, asked before each revert: nothing need be read.
            return False
        rows = await self._means.database.read(
            lambda c: c.scalar(
                select(func.count())
                .select_from(mirror_table)
                .where(mirror_table.c.table_name == table)
            )
        )
        count = sum(one.is_written for one in found)
        ahead = [one for one in found if not one.is_written][:MOST_VERIFIED]
        self._standing = {one.token: self._standing.get(one.token) for one in ahead}
        for one in ahead:
            if REVERTS.check(count, rows or 0) is not None:
                break
            count += await self._stands(one)
        return REVERTS.check(count, rows or 0) is not None

    def _counted(self, connection: Connection, lane: str) -> list[_Counted]:
        since = self._means.recorder.now() - (REVERTS.window or timedelta())
        lately = select(own_writes_table.c.nonce).where(own_writes_table.c.issued_at >= since)
        is_written = (TAG + tasks.c.token).in_(lately)
        is_stopped = and_(
            tasks.c.state == TaskState.NEEDS_PERSON,
            tasks.c.cause == TaskCause.BRAKE,
            tasks.c.released_at.is_(None),
        )
        lanes = (lane,) if lane == SEEN_LANE else (lane, SEEN_LANE)
        is_ahead = and_(tasks.c.state.in_(OPEN_STATES), tasks.c.lane.in_(lanes))
        counted = (
            select(tasks.c.token, tasks.c.payload, is_written.label("is_written"))
            .where(
                tasks.c.kind == self._kind,
                or_(is_ahead, is_stopped, is_written),
            )
            .order_by(tasks.c.id)
        )
        return [_Counted(**row._mapping) for row in connection.execute(counted)]

    async def _stands(self, one: _Counted) -> bool:
        """Return whether a row was read, lately, that holds what such a revert would undo."""
        now = self._means.recorder.now()
        known = self._standing.get(one.token)
        if known is None or now - known[0] > (REVERTS.window or timedelta()):
            owed = Rejected.from_json(one.payload)
            row = await self._means.rows.row(owed.table, owed.record_id)
            stands = False
            if row is not None:
                copy = await self._means.ledger.mirrored(owed.table, owed.record_id)
                rejected = not_standing(owed, copy, now=now)
                stands = bool(restoration(rejected, row.columns, way_back(rejected, copy)))
            known = self._standing[one.token] = (now, stands)
        return known[1]
