"""Every guarded row compared with the guard's copy: what bypassed both steps shows here.

A difference that something explains (`explanation`) is taken over; one that nothing explains is
judged anew, as the act of nobody known. More than max(20, 5 %) refusals at once stop before the
first write, and what they concern rests until a person lets it go on (law 8).

What has no past is judged as a scan does, without deciding or writing anything in Dataverse: the
rows that the first round meets, and whatever of a copy is not known good yet. What fails is said,
and stays merely seen (law 16).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from guard import consequences, known_good
from guard.case import FROM_RECONCILIATION, SEEN_LANE, read_back_case
from guard.columns.table import TABLES
from guard.confirmation import actor_of, decision_of
from guard.judge import Judge, Judged
from guard.ledger import mirror
from guard.ledger.effects import withdraw
from guard.ledger.entry import MirrorRow, Recorded
from guard.ledger.port import ALLOWED, Ledger
from guard.ledger.tables import baselines
from guard.obligations.table import MENDING
from guard.ports.metrics import GuardMetrics
from guard.ports.rows import Rows, StoredRow
from guard.record import DecisionRecorder
from guard.watch.differences import Differences, Explained, is_suspect
from guard.watch.explanation import change_of, is_superseded
from guard.watch.stopping import done, let_through
from guard.watch.without_past import WithoutPast
from kernel.brake import Braked, Release, brake
from kernel.claims import any_elsewhere, change_lane
from kernel.database import Database, insert
from kernel.failpoints import failpoint
from kernel.log import get_logger
from kernel.tasks import OPEN_STATES, TaskState, list_for
from rules.model.change import Facts

SEEN = failpoint("guard.mirror", "Rows that were compared are remembered.")
GONE = failpoint("guard.row-gone", "A row that was verified to be gone is forgotten.")
SEEN_ITSELF = failpoint(
    "guard.seen-itself", "What is owed for a difference that was seen goes on in a lane apart."
)
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
PAST_THE_GUARD = "Too many rows changed past the guard at once, and it is one that is refused."
ROW_GONE = "Too many rows are gone from Dataverse at once, and it is one of them."
# A row that keeps changing waits for its deliveries so many rounds and no more.
MOST_WAITS = 2
_OWED = (*OPEN_STATES, TaskState.NEEDS_PERSON)
log = get_logger("guard")


@dataclass(slots=True)
class Round:
    """What one reconciliation found; `failing` are rows that were judged without a past."""

    compared: int = 0
    adopted: int = 0
    judged: int = 0
    refused: int = 0
    gone: int = 0
    waiting: int = 0
    failing: int = 0
    brake: Braked | None = None


@dataclass(slots=True)
class _Found:
    """One difference, judged but not yet recorded; `allowed` is the decision that explains it.

    `copy` is what is known of the row once the decision stands.
    """

    row: StoredRow
    judged: Judged
    copy: MirrorRow | None
    allowed: Recorded | None = None

    @property
    def is_allowed(self) -> bool:
        """Return whether the row may stay as it is."""
        return self.judged.decision.outcome.value in ALLOWED


@dataclass(slots=True)
class _Table:
    """One table's round while it goes on."""

    name: str
    is_first: bool
    now: datetime
    seen: set[str] = field(default_factory=set)
    suspects: list[str] = field(default_factory=list)
    adopt: list[MirrorRow] = field(default_factory=list)
    found: list[_Found] = field(default_factory=list)


class Reconciler:
    """Compares Dataverse with the copies.

    `settle_seconds` leaves a row alone that was changed just now, by the clock of Dataverse: its
    delivery is on the way.
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
        self._waits: dict[tuple[str, str], int] = {}
        self._differences = Differences(rows, ledger)
        self._without_past = WithoutPast(ledger, judge, recorder, self._keep)

    async def run(self) -> Round:
        """Compare every guarded row once. An idle round writes nothing.

        Raises a GuardError when Dataverse can't be read; what was found before is then dropped.
        """
        total = Round()
        self._without_past.begin()
        for name in TABLES:
            await self._run_table(name, total)
        total.failing = await self._without_past.judge()
        return total

    async def _run_table(self, name: str, total: Round) -> None:
        # (1) Compare page by page; then read again what differs, and judge what nothing explains.
        # Nothing is written yet.
        is_first = not await self._database.read(lambda c: mirror.has_baseline(c, name))
        table = _Table(name, is_first, self._recorder.now())
        waiting: set[str] = set()
        async for page in self._rows.pages(name):
            await self._compare(page, table, waiting)
        for key in [key for key in self._waits if key[0] == name and key[1] not in waiting]:
            del self._waits[key]
        total.waiting += len(waiting)
        total.compared += len(table.seen)
        for record_id in table.suspects:
            await self._look_into(record_id, table)
        # (2) Verify one by one that what did not come is gone (law 8).
        gone = await self._missing(table)
        # (3) Stop before the first write when that is too much at once.
        forgotten = await self._stop_what_is_too_much(table, gone, total)
        # (4) Write it down: copies, decisions with what they owe, vanished rows last.
        await self._write_down(table, total)
        for record_id in forgotten:
            await self._forget(name, record_id)
            total.gone += 1
        # (5) What waited for a person's word, and is done by now, waits no longer.
        await done(self._database, REFUSED_BRAKE, name, [one.row.record_id for one in table.found])
        await done(self._database, GONE_BRAKE, name, forgotten)

    async def _compare(self, page: Sequence[StoredRow], table: _Table, waiting: set[str]) -> None:
        ids = [row.record_id for row in page]
        known = await self._database.read(lambda c: mirror.list_by_ids(c, table.name, ids))
        for row in page:
            table.seen.add(row.record_id)
            copy = known.get(row.record_id)
            if copy is None and table.is_first:
                table.adopt.append(known_good.seen(row, None, read_at=table.now))
                self._without_past.add(row)
            elif copy is None or is_suspect(row, copy):
                if self._is_settling(row):
                    waiting.add(row.record_id)
                else:
                    table.suspects.append(row.record_id)
            else:
                if any(name not in copy.columns for name in TABLES[table.name].flat):
                    table.adopt.append(known_good.seen(row, copy, read_at=copy.read_at))
                    self._without_past.add(row)
                elif known_good.is_unjudged(copy):
                    self._without_past.add(row)

    def _is_settling(self, row: StoredRow) -> bool:
        """Return whether a row was changed so lately that it waits, and count how often it did.

        By Dataverse's clock alone: ours may be wrong by minutes.
        """
        quiet, key = row.quiet_for, (row.table, row.record_id)
        waits = self._waits.get(key, 0)
        if quiet is None or quiet >= self._settle or waits >= MOST_WAITS:
            return False
        self._waits[key] = waits + 1
        return True

    async def _look_into(self, record_id: str, table: _Table) -> None:
        """Find what explains a difference; without anything, judge it anew."""
        found = await self._differences.read(table.name, record_id, now=self._recorder.now())
        if found is None:
            return
        explained = await self._differences.explained(found)
        if explained is not None:
            self._take_over(found.row, explained, table)
            return
        row, copy = found.row, found.copy
        refusals = await self._differences.refusals_of(found)
        if refusals and not self._recorder.enforces:
            if copy is not None:
                # Nobody will put the row back, so what was observed is what is seen from now on.
                table.adopt.append(_observed(row, copy, found.names))
            return
        if refusals and await self._are_owed(refusals):
            return
        judged = await self._judge.judge(
            found.change, actor_id=None, is_synchronous=False, now=table.now
        )
        if judged.decision.outcome.value in ALLOWED:
            taken = found.names if copy is not None else TABLES[table.name].flat
            known = known_good.allowed(row, copy, row.columns, taken, read_at=found.read_at)
        else:
            # What nobody knows a past of is not judged again for what it is already.
            seen = known_good.seen(row, copy, read_at=found.read_at)
            known = None if copy is not None and seen.columns == copy.columns else seen
        table.found.append(_Found(row, judged, known))

    async def _are_owed(self, refusals: Sequence[Recorded]) -> bool:
        """Return whether the revert of one of these goes on or needs a person.

        One that has ended found the row mended: what holds the difference now was written since.
        From now on the guard has seen itself what is owed: it waits no longer among what
        deliveries owe, where anybody who has the webhook key could have put it beforehand.
        """
        owners = [one.id for one in refusals]

        def find(connection: Connection) -> tuple[bool, bool]:
            owed = [
                task
                for owner in owners
                for task in list_for(connection, owner)
                if task.kind in MENDING
            ]
            elsewhere = any_elsewhere(connection, owners, lane=SEEN_LANE, kinds=MENDING)
            return any(task.state in _OWED for task in owed), elsewhere

        are_owed, wait_elsewhere = await self._database.read(find)
        if wait_elsewhere:
            now = self._recorder.now()
            await self._database.write(
                lambda c: change_lane(c, owners, lane=SEEN_LANE, kinds=MENDING, now=now),
                failpoint=SEEN_ITSELF,
            )
        return are_owed

    def _take_over(self, row: StoredRow, explained: Explained, table: _Table) -> None:
        """Follow what explains a difference, and confirm decisions whose confirmation is lost."""
        if not explained.unconfirmed:
            if explained.copy is not None:
                table.adopt.append(explained.copy)
            return
        newest = explained.unconfirmed[-1]
        for one in explained.unconfirmed:
            judged = Judged(change_of(one, row), decision_of(one), Facts(), self._judge.policy_set)
            known = explained.copy if one is newest else None
            table.found.append(_Found(row, judged, known, one))

    async def _missing(self, table: _Table) -> list[str]:
        """Return the rows that have a copy and verifiably are no longer there."""
        if table.is_first:
            return []
        known = await self._database.read(lambda c: mirror.list_ids(c, table.name))
        absent = [record_id for record_id in known if record_id not in table.seen]
        return [one for one in absent if await self._rows.row(table.name, one) is None]

    async def _stop_what_is_too_much(
        self, table: _Table, gone: Sequence[str], total: Round
    ) -> list[str]:
        """Leave out of the table what a brake stops; return the vanished rows that may go on.

        Whatever is stopped rests, and waits for a person's word.
        """
        refused = [one.row.record_id for one in table.found if not one.is_allowed]
        rows, name = len(table.seen), table.name
        passed, braked = await let_through(
            self._database, REFUSED_BRAKE, name, refused,
            rows=rows, reason=PAST_THE_GUARD, now=table.now,
        )  # fmt: skip
        forgotten, emptied = await let_through(
            self._database, GONE_BRAKE, name, gone,
            rows=rows, reason=ROW_GONE, now=table.now,
        )  # fmt: skip
        table.found = [one for one in table.found if one.is_allowed or one.row.record_id in passed]
        for pulled in (braked, emptied):
            if pulled is not None:
                total.brake = pulled
                log.error(
                    "reconciliation_stopped",
                    table=name,
                    brake=pulled.name,
                    count=pulled.count,
                    release=f"brakes release {pulled.name}",
                )
                self._metrics.watched("brake")
        return [one for one in gone if one in forgotten]

    async def _write_down(self, table: _Table, total: Round) -> None:
        if table.adopt:
            rows = list(table.adopt)
            await self._database.write(lambda c: _keep_all(c, rows), failpoint=SEEN)
            total.adopted += len(rows)
        for one in table.found:
            await self._record(one)
            total.judged += 1
            total.refused += not one.is_allowed
        if table.is_first:
            count = len(table.seen)
            await self._database.write(
                lambda c: _take_baseline(c, table.name, count, table.now), failpoint=BASELINE
            )

    async def _record(self, one: _Found) -> None:
        # A decision is as old as its record: what was read before it is older.
        allowed, now = one.allowed, self._recorder.now()
        case = read_back_case(
            one.row.table,
            one.row.record_id,
            operation=one.judged.change.change.operation,
            source=FROM_RECONCILIATION,
            actor_id=actor_of(allowed) if allowed is not None else None,
        )
        if allowed is not None:
            await self._recorder.judged(
                case,
                one.judged,
                now=now,
                cause=allowed.cause,
                copy=one.copy,
                # What is owed for the row as it is now follows from the newest change of it.
                is_superseded=is_superseded(allowed, one.row),
                confirms=allowed.id,
            )
            return
        recorded = await self._recorder.judged(
            case, one.judged, now=now, copy=one.copy, bypass=True
        )
        if recorded.decision not in ALLOWED and one.copy is not None:
            await self._keep(one.copy)
        self._metrics.watched("bypass")
        log.warning(
            "bypass_found",
            table=one.row.table,
            record_id=one.row.record_id,
            decision_id=recorded.id,
            decision=recorded.decision,
        )

    async def _keep(self, copy: MirrorRow) -> None:
        await self._database.write(lambda c: mirror.keep(c, copy), failpoint=SEEN)

    async def _forget(self, table: str, record_id: str) -> None:
        now = self._recorder.now()
        gone = consequences.of_gone(table, record_id)

        def write(connection: Connection) -> None:
            mirror.forget(connection, table, record_id)
            for withdrawal in gone.withdrawals:
                withdraw(connection, withdrawal, now=now)

        await self._database.write(write, failpoint=GONE)


def _observed(row: StoredRow, copy: MirrorRow, names: Sequence[str]) -> MirrorRow:
    """Return the copy of a row whose change was refused and, observing, left as it is."""
    good = {name: firm for name, firm in copy.good.items() if name not in names}
    return known_good.seen(row, replace(copy, good=good), read_at=copy.read_at)


def _keep_all(connection: Connection, rows: Sequence[MirrorRow]) -> None:
    for row in rows:
        mirror.keep(connection, row)


def _take_baseline(connection: Connection, table: str, rows: int, now: datetime) -> None:
    connection.execute(
        insert(connection, baselines)
        .values(table_name=table, taken_at=now, rows=rows)
        .on_conflict_do_nothing()
    )
