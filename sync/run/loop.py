"""The loop of `serve` and `sync run`: what is due is visited, what is asked for is answered.

Heartbeats, visits, leftovers and the batch of freshness each run at their own pace, so that a long
visit never costs a lease. Nothing here is the only copy of anything: a restart begins again from
the database.
"""

from __future__ import annotations

import asyncio
from typing import Any

from sqlalchemy import Connection, func, select

from kernel.approvals import approvals
from kernel.errors import GuardError, Unavailable
from kernel.failpoints import Crash
from kernel.log import get_logger
from kernel.periodic import Runner, end
from kernel.shards import HEARTBEAT_SECONDS, SHARDS
from sync.eligibility.eligibility import Eligibility
from sync.eligibility.review import REVIEW_AGAIN_SECONDS
from sync.engine.freshness import FLUSH_SECONDS
from sync.failpoints import PASS_ANSWER
from sync.run.assembly import Assembly
from sync.run.full_pass import full_pass
from sync.run.report import PassReport, Problem, ProblemKind
from sync.store import passes
from sync.store.tables import mailboxes

TICK_SECONDS = 0.5
LEFTOVER_SECONDS = 5.0

log = get_logger("sync")


class Loop:
    """Keeps the mailboxes of the shards it can get up to date until it is stopped."""

    def __init__(self, sync: Assembly, *, refresh_seconds: float = 300.0) -> None:
        self._sync = sync
        self._refresh_seconds = refresh_seconds
        self._visiting: dict[str, asyncio.Task[Any]] = {}
        self._fleet: tuple[Any, ...] | None = None
        self._review_not_before = 0.0
        self._passing = asyncio.Lock()

    def start(self, runner: Runner) -> None:
        """Begin: let the runner call what this loop does."""
        runner.every(HEARTBEAT_SECONDS, self.beat, name="sync heartbeat")
        runner.every(TICK_SECONDS, self.tick, name="sync tick")
        runner.every(LEFTOVER_SECONDS, self.carry_out_leftovers, name="sync leftovers")
        runner.every(FLUSH_SECONDS, self._sync.freshness.flush, name="sync freshness")

    async def stop(self) -> None:
        """Let the visits under way end, for a while, write what was learnt, give the shards back.

        Call it after the runner has stopped. Where nothing can be written any more the shards come
        free by themselves.
        """
        await end(list(self._visiting.values()))
        try:
            await self._sync.freshness.flush()
            await self._sync.leases.release()
        except Unavailable as error:
            log.warning("loop_not_written_down", error=error.message)

    async def beat(self) -> None:
        """Say that this process lives, and take up shards that nobody holds."""
        leases = self._sync.leases
        await leases.beat()
        if len(leases.shards) < SHARDS:
            await leases.claim()

    async def tick(self) -> None:
        """Answer requests for a pass, learn what changed, and start the visits that are due."""
        shards = self._sync.leases.shards
        if not shards:
            return
        asked = await self._sync.database.read(lambda c: passes.list_requested(c, shards))
        for pass_id, wanted in asked.items():
            await self._answer(pass_id, wanted)
        if await self._review():
            self._start_due()

    async def carry_out_leftovers(self) -> None:
        """Carry out the tasks whose time has come without a new page."""
        shards = self._sync.leases.shards
        if shards and self._sync.review.age_seconds <= self._refresh_seconds * 3:
            await self._sync.workers.run_due(shards=shards)

    async def idle(self) -> None:
        """Wait until no visit is under way."""
        while self._visiting:
            await asyncio.gather(*self._visiting.values())

    async def _review(self) -> bool:
        """Read Dataverse again when approvals changed or the reading grew old; False on failure."""
        review = self._sync.review
        fleet = await self._sync.database.read(_fleet_mark)
        if fleet == self._fleet and review.age_seconds <= self._refresh_seconds:
            return True
        now = self._sync.clock.monotonic()
        if now < self._review_not_before:
            return self._fleet is not None
        try:
            await review.review(self._sync.leases.shards)
        except GuardError as error:
            log.warning("review_failed", error_code=error.code, error=error.message)
            self._review_not_before = now + REVIEW_AGAIN_SECONDS
            return self._fleet is not None
        # As it was before: an approval given during the review may not be in it.
        self._fleet = fleet
        return True

    def _start_due(self) -> None:
        now = self._sync.clock.now()
        for eligibility in self._sync.review.list_all():
            record_id = eligibility.approval.record_id
            if not eligibility.is_eligible or record_id in self._visiting:
                continue
            due_at = self._sync.visits.due_at(record_id)
            if due_at is None or due_at <= now:
                visit = asyncio.create_task(self._visit(eligibility), name=f"visit {record_id}")
                self._visiting[record_id] = visit

    async def _visit(self, eligibility: Eligibility) -> None:
        record_id = eligibility.approval.record_id
        try:
            await self._sync.visits.visit(eligibility)
        except Exception as error:
            # Not even the state could be written; the next visit is due at once.
            log.error("visit_not_recorded", record_id=record_id, exc_info=error)
        finally:
            self._visiting.pop(record_id, None)

    async def _answer(self, pass_id: str, shards: list[int]) -> None:
        """Do the full pass that another process asked for; visits under way end first."""
        async with self._passing:
            await self.idle()
            try:
                report = await full_pass(self._sync, shards)
            except Crash:
                raise
            except Exception as error:
                log.error("pass_failed", exc_info=error)
                message = error.message if isinstance(error, GuardError) else str(error)
                report = PassReport({}, (Problem("", ProblemKind.UNRESOLVED, message),))
            now, answer = self._sync.clock.now(), report.to_json()
            await self._sync.database.write(
                lambda c: passes.answer(c, pass_id, shards=shards, answer=answer, now=now),
                failpoint=PASS_ANSWER,
            )


def _fleet_mark(connection: Connection) -> tuple[Any, ...]:
    """Return what changes whenever an approval or a pause does."""
    held = select(func.count(), func.sum(approvals.c.epoch), func.max(approvals.c.changed_at))
    paused = select(func.count()).where(mailboxes.c.is_paused)
    return (*connection.execute(held).one(), connection.scalar(paused))
