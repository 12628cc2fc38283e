"""The sync of incoming mail, put together from its ports: what `once` and `loop` drive."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, func, select

from kernel import work
from kernel.clock import Clock
from kernel.database import Database
from kernel.log import get_logger
from kernel.runner import shard_of
from kernel.workers import Workers
from sync.crm.port import Crm
from sync.exchange.port import Exchange
from sync.freshness import FLUSH_SECONDS, Freshness
from sync.intents import Intents
from sync.kinds import KINDS, VERIFY
from sync.leases import Leases, hasten
from sync.meter import Meter
from sync.passes import Passes, Visit
from sync.permits import Permits
from sync.report import PassReport, Problem
from sync.rows import RowMaker
from sync.standing import Ground, Standing
from sync.standings import Standings
from sync.steps import TAKE_OVER
from sync.store import quarantine
from sync.stream_pass import TASKS_AT_ONCE, StreamPass
from sync.verdict import Judge, track_incoming

# organization.maxuploadfilesize by default.
MAX_ATTACHMENT_BYTES = 5 * 1024 * 1024
# How long a single pass waits for a service that asked it to, and for one that is away.
PATIENCE_SECONDS = 600.0
AWAY_SECONDS = 30.0
AGAIN_SECONDS = 5.0

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
        self.standings = Standings(
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
        self.passes = Passes(
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

        All are due; only a wait that a service asked for is respected. Raises CloudError when
        Dataverse cannot be asked which mailboxes are approved: then no mailbox is touched.
        """
        before = self.meter.reading()
        await self.standings.review(self.leases.shards)
        ours = [
            one for one in self.standings.list_all() if shard_of(one.approval.record_id) in shards
        ]
        visits = await self._visit_all([one for one in ours if one.ground is Ground.OURS])
        await self._settle(ours, shards)
        await self.freshness.flush(gain_seconds=FLUSH_SECONDS)
        problems = [
            Problem(visit.record_id, "unresolved", visit.trouble)
            for visit in visits
            if visit.trouble is not None
        ]
        problems += [
            Problem(one.approval.record_id, "unresolved", one.reason)
            for one in ours
            if one.ground is Ground.UNBACKED
        ]
        problems += await self.database.read(lambda c: _problems(c, ours))
        counts = self.meter.since(before)
        counts["quarantined"] = sum(one.kind == "quarantined" for one in problems)
        return PassReport(counts, tuple(problems))

    async def _visit_all(self, ours: Collection[Standing]) -> list[Visit]:
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

    async def _settle(self, ours: Collection[Standing], shards: Collection[int]) -> None:
        """Carry out what still waits for these mailboxes, as long as patience lasts."""
        owners = [one.approval.record_id for one in ours if one.ground is Ground.OURS]
        if not owners:
            return
        deadline = self.clock.monotonic() + PATIENCE_SECONDS
        while True:
            now = self.clock.now()
            due_at, waits_for_grace = await self.database.read(lambda c: _next_due(c, owners))
            if due_at is None:
                return
            if waits_for_grace:
                await self._end_grace(owners, now)
                due_at = now
            wait = max((due_at - now) / timedelta(seconds=1), 0.0)
            if self.clock.monotonic() + wait > deadline:
                return
            if wait:
                await self.clock.sleep(wait)
            await self.workers.run_due(kinds=KINDS, shards=sorted(shards), limit=TASKS_AT_ONCE)

    async def _end_grace(self, owners: Collection[str], now: datetime) -> None:
        await self.database.write(
            lambda c: hasten(c, kind=VERIFY, owners=owners, now=now), step=TAKE_OVER
        )


def _patience(visit: Visit) -> float:
    return PATIENCE_SECONDS if visit.is_throttled else AWAY_SECONDS


def _next_due(connection: Connection, owners: Collection[str]) -> tuple[datetime | None, bool]:
    """Return when the next task of these mailboxes is due, and whether it only waits for grace."""
    tasks = work.tasks
    statement = select(tasks.c.kind, tasks.c.attempts, func.min(tasks.c.not_before)).where(
        tasks.c.owner.in_(owners), tasks.c.kind.in_(KINDS), tasks.c.state == work.QUEUED
    )
    rows = connection.execute(statement.group_by(tasks.c.kind, tasks.c.attempts)).all()
    if not rows:
        return None, False
    kind, attempts, due_at = min(rows, key=lambda row: row[2])
    return due_at, kind == VERIFY and attempts == 0


def _problems(connection: Connection, ours: Collection[Standing]) -> list[Problem]:
    everyone = {one.approval.record_id for one in ours}
    found = [
        Problem(one.record_id, "quarantined", one.reason, one.item_id)
        for one in quarantine.list_for(connection, everyone)
    ]
    # What waits for a mailbox that is paused, or another's, is not for this pass to resolve.
    epochs = {
        one.approval.record_id: one.approval.epoch for one in ours if one.ground is Ground.OURS
    }
    tasks = work.tasks
    statement = (
        select(tasks.c.owner, tasks.c.state, tasks.c.result, tasks.c.payload)
        .where(
            tasks.c.owner.in_(epochs),
            tasks.c.kind.in_(KINDS),
            tasks.c.state.in_((work.QUEUED, work.RUNNING, work.NEEDS_PERSON)),
        )
        .order_by(tasks.c.id)
    )
    for owner, state, result, payload in connection.execute(statement):
        if payload.get("epoch") == epochs[owner]:
            reason = result or f"The task is {state}."
            found.append(Problem(owner, "unresolved", reason, payload.get("item_id")))
    return found
