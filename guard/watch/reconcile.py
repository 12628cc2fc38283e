"""Every guarded row compared with the last known good copy: what bypassed both steps shows here.

A difference that an allowed decision explains is taken over; one that nothing explains is judged
anew, as the act of nobody known. More than max(20, 5 %) refusals at once stop before the first
write (law 8).
The first round takes every row as it is: judging what was there before is what `scan` does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection, select

from guard import consequences
from guard.case import FROM_RECONCILIATION, read_back_case
from guard.columns.change import GuardedChange
from guard.columns.compare import is_equal
from guard.columns.table import TABLES
from guard.confirmation import actor_of, decision_of
from guard.judge import Judge, Judged
from guard.ledger import mirror
from guard.ledger.effects import withdraw
from guard.ledger.entry import MirrorRow, Recorded
from guard.ledger.port import ALLOWED, Ledger
from guard.ledger.tables import baselines
from guard.ports.metrics import GuardMetrics
from guard.ports.rows import Rows, StoredRow
from guard.read_back import read_back_change
from guard.record import DecisionRecorder
from kernel.brake import Braked, Release, brake
from kernel.database import Database, insert
from kernel.failpoints import failpoint
from kernel.log import get_logger
from rules.model.change import Facts, Value

SEEN = failpoint("guard.mirror", "Rows that were compared are remembered.")
GONE = failpoint("guard.row-gone", "A row that was verified to be gone is forgotten.")
BASELINE = failpoint("guard.baseline", "Every row of a table has been seen once.")

REFUSED_BRAKE = brake(
    "guard.refused",
    counts="rows of one table that changed past the guard and are refused in one reconciliation",
    total="rows of the table",
    release=Release.GO_ON,
)
GONE_BRAKE = brake(
    "guard.gone",
    counts="rows of one table that one reconciliation finds gone",
    total="rows of the table that are left",
    release=Release.GO_ON,
)
COMMITTED_WITHIN = timedelta(minutes=15)
log = get_logger("guard")


@dataclass(slots=True)
class Round:
    """What one reconciliation found."""

    compared: int = 0
    adopted: int = 0
    judged: int = 0
    refused: int = 0
    gone: int = 0
    waiting: int = 0
    brake: Braked | None = None


@dataclass(slots=True)
class _Found:
    """One difference, judged but not yet recorded; `allowed` is the decision that explains it."""

    row: StoredRow
    judged: Judged
    allowed: Recorded | None = None


@dataclass(slots=True)
class _Table:
    """One table's round while it goes on."""

    name: str
    is_first: bool
    now: datetime
    seen: set[str] = field(default_factory=set)
    adopt: list[MirrorRow] = field(default_factory=list)
    found: list[_Found] = field(default_factory=list)


class Reconciler:
    """Compares Dataverse with the mirror.

    `settle_seconds` leaves a row alone that was changed just now: its delivery is on the way.
    """

    def __init__(
        self,
        database: Database,
        rows: Rows,
        ledger: Ledger,
        judge: Judge,
        recorder: DecisionRecorder,
        metrics: GuardMetrics,
        *,
        settle_seconds: float = 5.0,
    ) -> None:
        self._database = database
        self._rows = rows
        self._ledger = ledger
        self._judge = judge
        self._recorder = recorder
        self._metrics = metrics
        self._settle = timedelta(seconds=settle_seconds)

    async def run(self) -> Round:
        """Compare every guarded row once. An idle round writes nothing.

        Raises a GuardError when Dataverse can't be read; what was found before is then dropped.
        """
        total = Round()
        for name in TABLES:
            await self._run_table(name, total)
        return total

    async def _run_table(self, name: str, total: Round) -> None:
        # (1) Compare page by page, and judge what differs; nothing is written yet.
        is_first = await self._database.read(lambda c: _is_first(c, name))
        table = _Table(name, is_first, self._recorder.now())
        async for page in self._rows.pages(name):
            await self._compare(page, table, total)
        total.compared += len(table.seen)
        # (2) Verify one by one that what did not come is gone (law 8).
        gone = await self._missing(table)
        # (3) Stop before the first write when that is too much at once.
        if self._pulls_brake(table, gone, total):
            return
        # (4) Write it down: copies, decisions with what they owe, vanished rows last.
        await self._write_down(table, total)
        for record_id in gone:
            await self._forget(name, record_id)
            total.gone += 1

    async def _compare(self, page: Sequence[StoredRow], table: _Table, total: Round) -> None:
        ids = [row.record_id for row in page]
        known = await self._database.read(lambda c: mirror.list_by_ids(c, table.name, ids))
        for row in page:
            table.seen.add(row.record_id)
            copy = known.get(row.record_id)
            if copy is None and table.is_first:
                table.adopt.append(_copy_of(row, table.now))
            elif copy is not None and not _differs(row, copy):
                if _lacks_columns(row, copy):
                    table.adopt.append(_copy_of(row, copy.changed_at))
            elif row.modified_at is not None and table.now - row.modified_at < self._settle:
                total.waiting += 1
            else:
                await self._look_into(row, copy, table)

    async def _look_into(self, row: StoredRow, copy: MirrorRow | None, table: _Table) -> None:
        """Find the allowed decision that explains a difference; without one, judge it anew."""
        since = copy.changed_at if copy is not None else table.now - timedelta(days=1)
        decisions = await self._ledger.decisions_on(row.record_id, since=since)
        operation = "update" if copy is not None else "create"
        change = read_back_change(row, before=copy.columns if copy else {}, operation=operation)
        allowed = next((one for one in decisions if _explains(one, change, table.now)), None)
        if allowed is not None:
            self._take_over(row, change, allowed, table)
        elif not any(_refused_this(one, row) for one in decisions):
            judged = await self._judge.judge(
                change, actor_id=None, is_synchronous=False, now=table.now
            )
            table.found.append(_Found(row, judged))

    def _take_over(
        self, row: StoredRow, change: GuardedChange, allowed: Recorded, table: _Table
    ) -> None:
        """Follow an allowed decision whose confirmation didn't come, or is yet to come."""
        if not change.is_sensitive:
            table.adopt.append(_copy_of(row, table.now))
            return
        decision = decision_of(allowed)
        judged = Judged(change, decision, Facts(), self._judge.policy_set)
        table.found.append(_Found(row, judged, allowed))

    async def _missing(self, table: _Table) -> list[str]:
        """Return the rows that have a copy and verifiably are no longer there."""
        if table.is_first:
            return []
        known = await self._database.read(lambda c: mirror.list_ids(c, table.name))
        absent = [record_id for record_id in known if record_id not in table.seen]
        return [one for one in absent if await self._rows.row(table.name, one) is None]

    def _pulls_brake(self, table: _Table, gone: Sequence[str], total: Round) -> bool:
        refused = sum(one.judged.decision.outcome.value not in ALLOWED for one in table.found)
        rows = len(table.seen)
        braked = REFUSED_BRAKE.check(refused, rows) or GONE_BRAKE.check(len(gone), rows)
        if braked is None:
            return False
        total.brake = braked
        log.error(
            "reconciliation_stopped",
            table=table.name,
            brake=braked.name,
            refused=refused,
            gone=len(gone),
        )
        self._metrics.watched("brake")
        return True

    async def _write_down(self, table: _Table, total: Round) -> None:
        if table.adopt:
            rows = list(table.adopt)
            await self._database.write(lambda c: _keep_all(c, rows), failpoint=SEEN)
            total.adopted += len(rows)
        for one in table.found:
            await self._record(one, table.now)
            total.judged += 1
            total.refused += one.judged.decision.outcome.value not in ALLOWED
        if table.is_first:
            count = len(table.seen)
            await self._database.write(
                lambda c: _take_baseline(c, table.name, count, table.now), failpoint=BASELINE
            )

    async def _record(self, one: _Found, now: datetime) -> None:
        allowed = one.allowed
        case = read_back_case(
            one.row.table,
            one.row.record_id,
            operation=one.judged.change.change.operation,
            source=FROM_RECONCILIATION,
            changed_at=one.row.modified_at or now,
            actor_id=actor_of(allowed) if allowed is not None else None,
        )
        if allowed is not None:
            await self._recorder.judged(
                case, one.judged, now=now, cause=allowed.cause, confirms=allowed.id
            )
            return
        recorded = await self._recorder.judged(case, one.judged, now=now, bypass=True)
        self._metrics.watched("bypass")
        log.warning(
            "bypass_found",
            table=one.row.table,
            record_id=one.row.record_id,
            decision_id=recorded.id,
            decision=recorded.decision,
        )

    async def _forget(self, table: str, record_id: str) -> None:
        now = self._recorder.now()
        gone = consequences.of_gone(table, record_id)

        def write(connection: Connection) -> None:
            mirror.forget(connection, table, record_id)
            for withdrawal in gone.withdrawals:
                withdraw(connection, withdrawal, now=now)

        await self._database.write(write, failpoint=GONE)


def _copy_of(row: StoredRow, changed_at: datetime) -> MirrorRow:
    return MirrorRow(row.table, row.record_id, row.columns, changed_at)


def _differs(row: StoredRow, copy: MirrorRow) -> bool:
    """Return whether a column differs that the copy knows."""
    return not _matches(row, copy.columns)


def _lacks_columns(row: StoredRow, copy: MirrorRow) -> bool:
    """Return whether the row has columns that the copy doesn't know."""
    return any(name not in copy.columns for name in TABLES[row.table].flat)


def _matches(row: StoredRow, columns: Mapping[str, Value]) -> bool:
    return all(
        is_equal(row.columns.get(name), columns[name])
        for name in TABLES[row.table].flat
        if name in columns
    )


def _explains(one: Recorded, change: GuardedChange, now: datetime) -> bool:
    """Return whether a decision allowed every difference that the row shows.

    What was allowed but not yet confirmed explains only what follows it closely: the platform
    commits within minutes or not at all.
    """
    if one.decision not in ALLOWED or one.private is None or one.cause == "deferred":
        return False
    if one.public.get("mode") == 0 and now - one.decided_at > COMMITTED_WITHIN:
        return False
    after, shown = one.after, change.change.after
    return bool(change.altered) and all(
        name in after and is_equal(after[name], shown.get(name)) for name in change.altered
    )


def _refused_this(one: Recorded, row: StoredRow) -> bool:
    """Return whether this very state was refused before: its revert goes on or needs a person."""
    return (
        one.decision not in ALLOWED
        and one.public.get("mode") == 1
        and bool(one.after)
        and _matches(row, one.after)
    )


def _keep_all(connection: Connection, rows: Sequence[MirrorRow]) -> None:
    for row in rows:
        mirror.keep(connection, row)


def _is_first(connection: Connection, table: str) -> bool:
    found = select(baselines.c.table_name).where(baselines.c.table_name == table)
    return connection.execute(found).first() is None


def _take_baseline(connection: Connection, table: str, rows: int, now: datetime) -> None:
    connection.execute(
        insert(connection, baselines)
        .values(table_name=table, taken_at=now, rows=rows)
        .on_conflict_do_nothing()
    )
