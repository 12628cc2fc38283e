"""The sync of incoming mail, put together from its ports: what `once` and `loop` drive."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from sqlalchemy import Connection, func, select

from kernel.clock import Clock
from kernel.database import Database
from kernel.log import get_logger
from kernel.shards import shard_of
from kernel.tasks import OPEN_STATES, TaskCause, TaskState, any_stopped, release, tasks
from kernel.workers import Workers
from sync.crm.port import Crm
from sync.eligibility.eligibility import Eligibility, Ground
from sync.eligibility.review import EligibilityReview
from sync.engine.freshness import FLUSH_SECONDS, Freshness
from sync.engine.intent import CREATE, KINDS, VERIFY
from sync.engine.leases import Leases, hasten
from sync.engine.meter import Meter
from sync.engine.permits import Permits
from sync.engine.stream_pass import TASKS_AT_ONCE, StreamPass
from sync.engine.visits import Visit, Visits
from sync.exchange.port import Exchange
from sync.failpoints import TAKE_OVER
from sync.mail.intents import Intents
from sync.mail.rows import RowMaker
from sync.mail.verdict import Judge, track_incoming
from sync.run.report import PassReport, Problem, ProblemKind
from sync.store import quarantine

# organization.maxuploadfilesize by default.
MAX_ATTACHMENT_BYTES = 5 * 1024 * 1024
# How long a single pass waits for a service that asked it to, and for one that is away.
PATIENCE_SECONDS = 600.0
AWAY_SECONDS = 30.0
AGAIN_SECONDS = 5.0
NOT_BRAKED = tuple(cause for cause in TaskCause if cause is not TaskCause.BRAKE)

log = get_logger("sync")


@dataclass(frozen=True, slots=True)
class Ports:
    """The two sides that the sync brings together."""

    exchange: Exchange
    crm: Crm


class MailSync:
    """Everything that one process needs to sync the mailboxes of the shards it holds."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        ports: Ports,
        organization: UUID,
        holder: str,
        meter: Meter,
        approval_max_age_seconds: float = 900.0,
        judge: Judge = track_incoming,
        max_attachment_bytes: int = MAX_ATTACHMENT_BYTES,
    ) -> None:
        self.database = database
        self.clock = clock
        self.meter = meter
        self.leases = Leases(database, clock, holder=holder)
        self.standings = EligibilityReview(
            database, clock, ports.crm, max_age_seconds=approval_max_age_seconds
        )
        permits = Permits(
            database, clock, leases=self.leases, standings=self.standings, meter=meter
        )
        intents = Intents(
            database,
            clock,
            exchange=ports.exchange,
            rows=RowMaker(ports.crm, organization, max_attachment_bytes=max_attachment_bytes),
            leases=self.leases,
            standings=self.standings,
            permits=permits,
            meter=meter,
        )
        self.workers = Workers(database, clock, intents.handlers())
        self.freshness = Freshness(database, clock)
        self.passes = Visits(
            database,
            clock,
            stream_pass=StreamPass(
                database,
                clock,
                exchange=ports.exchange,
                permits=permits,
                standings=self.standings,
                leases=self.leases,
                workers=self.workers,
                judge=judge,
                meter=meter,
            ),
            standings=self.standings,
            leases=self.leases,
            freshness=self.freshness,
            meter=meter,
        )

    async def full_pass(self, shards: Collection[int]) -> PassReport:
        """Bring every stream of every approved mailbox of these shards up to date.

        All are due, and what is set aside is tried again; only a wait that a service asked for is
        respected. Raises CloudError when Dataverse cannot be asked which mailboxes are approved:
        then no mailbox is touched.
        """
        before = self.meter.reading()
        await self.standings.review(self.leases.shards)
        ours = [
            one for one in self.standings.list_all() if shard_of(one.approval.record_id) in shards
        ]
        visited = [one for one in ours if one.ground is Ground.OURS]
        await self._retry(visited)
        visits = await self._visit_all(visited)
        await self._settle(visited, shards)
        await self.freshness.flush(gain_seconds=FLUSH_SECONDS)
        problems = [
            Problem(visit.record_id, ProblemKind.UNRESOLVED, visit.trouble)
            for visit in visits
            if visit.trouble is not None
        ]
        problems += [
            Problem(one.approval.record_id, ProblemKind.UNRESOLVED, one.reason)
            for one in ours
            if one.ground in (Ground.UNBACKED, Ground.UNKNOWN)
        ]
        problems += await self.database.read(lambda c: _problems(c, ours))
        counts = self.meter.since(before)
        counts["quarantined"] = sum(one.kind is ProblemKind.QUARANTINED for one in problems)
        return PassReport(counts, tuple(problems))

    async def _visit_all(self, ours: Collection[Eligibility]) -> list[Visit]:
        """Visit every mailbox, and again once a wait that was asked for is over."""
        started = self.clock.monotonic()
        by_id = {one.approval.record_id: one for one in ours}
        ended: dict[str, Visit] = {}
        waiting = list(by_id)
        while waiting:
            visits = await self.passes.visit_all(
                [by_id[record_id] for record_id in waiting], grace_seconds=0.0
            )
            ended |= {visit.record_id: visit for visit in visits}
            elapsed = self.clock.monotonic() - started
            now = self.clock.now()
            waits = {
                visit.record_id: max((visit.until - now).total_seconds(), AGAIN_SECONDS)
                for visit in ended.values()
                if visit.until is not None
            }
            due = {
                record_id: seconds
                for record_id, seconds in waits.items()
                if elapsed + seconds <= _patience(ended[record_id])
            }
            if not due:
                break
            first = min(due.values())
            log.info("wait_began", seconds=first, mailboxes=len(due))
            await self.clock.sleep(first)
            waiting = [record_id for record_id, seconds in due.items() if seconds <= first]
        return list(ended.values())

    async def _retry(self, visited: Collection[Eligibility]) -> None:
        owners = [one.approval.record_id for one in visited]
        if await self.database.read(lambda c: quarantine.any_for(c, owners)):
            now = self.clock.now()
            await self.database.write(
                lambda c: quarantine.retry(c, owners, kind=CREATE, now=now), failpoint=TAKE_OVER
            )
        # Whoever asks for a full pass may have mended what they need; a brake asks for a word.
        wanted = partial(any_stopped, kinds=KINDS, owners=owners, causes=NOT_BRAKED)
        if await self.database.read(wanted):
            now = self.clock.now()
            let_go = partial(release, now=now, kinds=KINDS, owners=owners, causes=NOT_BRAKED)
            await self.database.write(let_go, failpoint=TAKE_OVER)

    async def _settle(self, visited: Collection[Eligibility], shards: Collection[int]) -> None:
        """Carry out what still waits for these mailboxes, as long as patience with it lasts."""
        owners = [one.approval.record_id for one in visited]
        if not owners:
            return
        started = self.clock.monotonic()
        while True:
            elapsed = self.clock.monotonic() - started
            waits = [
                wait
                for wait in await self._waits(owners)
                if elapsed + wait.seconds <= wait.patience
            ]
            if not waits:
                return
            if any(wait.is_grace for wait in waits):
                await self._end_grace(owners)
            if first := min(wait.seconds for wait in waits):
                await self.clock.sleep(first)
            await self.workers.run_due(kinds=KINDS, shards=sorted(shards), limit=TASKS_AT_ONCE)

    async def _waits(self, owners: Collection[str]) -> list[_Wait]:
        now = self.clock.now()
        return await self.database.read(lambda c: _waits(c, owners, now=now))

    async def _end_grace(self, owners: Collection[str]) -> None:
        now = self.clock.now()
        await self.database.write(
            lambda c: hasten(c, kind=VERIFY, owners=owners, now=now), failpoint=TAKE_OVER
        )


def _patience(visit: Visit) -> float:
    return PATIENCE_SECONDS if visit.is_throttled else AWAY_SECONDS


@dataclass(frozen=True, slots=True)
class _Wait:
    """How long until some tasks are due, how long that may take, and whether it is only grace."""

    seconds: float
    patience: float
    is_grace: bool


def _waits(connection: Connection, owners: Collection[str], *, now: datetime) -> list[_Wait]:
    """Return what the tasks of these mailboxes wait for, one for those that are alike."""
    alike = (tasks.c.kind, tasks.c.attempts, tasks.c.cause)
    rows = connection.execute(
        select(*alike, func.min(tasks.c.not_before))
        .where(
            tasks.c.owner.in_(owners), tasks.c.kind.in_(KINDS), tasks.c.state == TaskState.QUEUED
        )
        .group_by(*alike)
    )
    found = []
    for kind, attempts, cause, due_at in rows:
        seconds = max((due_at - now) / timedelta(seconds=1), 0.0)
        is_grace = kind == VERIFY and attempts == 0 and seconds > 0
        is_away = cause not in (None, TaskCause.THROTTLED)
        patience = AWAY_SECONDS if is_away else PATIENCE_SECONDS
        found.append(_Wait(0.0 if is_grace else seconds, patience, is_grace))
    return found


def _problems(connection: Connection, ours: Collection[Eligibility]) -> list[Problem]:
    everyone = {one.approval.record_id for one in ours}
    found = [
        Problem(one.record_id, ProblemKind.QUARANTINED, one.reason, one.item_id)
        for one in quarantine.list_for(connection, everyone)
    ]
    # The task of what is set aside only tries it again.
    set_aside = {(CREATE, one.record_id, one.item_id) for one in found}
    # What waits for a mailbox that is paused, or another's, is not for this pass to resolve.
    epochs = {
        one.approval.record_id: one.approval.epoch for one in ours if one.ground is Ground.OURS
    }
    statement = (
        select(
            tasks.c.kind,
            tasks.c.owner,
            tasks.c.epoch,
            tasks.c.state,
            tasks.c.result,
            tasks.c.hint,
            tasks.c.payload,
        )
        .where(
            tasks.c.owner.in_(epochs),
            tasks.c.kind.in_(KINDS),
            tasks.c.state.in_((*OPEN_STATES, TaskState.NEEDS_PERSON)),
        )
        .order_by(tasks.c.id)
    )
    for kind, owner, epoch, state, result, hint, payload in connection.execute(statement):
        item_id = payload.get("item_id")
        if epoch == epochs[owner] and (kind, owner, item_id) not in set_aside:
            reason = result or f"The task is {state}."
            found.append(Problem(owner, ProblemKind.UNRESOLVED, reason, item_id, hint))
    return found
