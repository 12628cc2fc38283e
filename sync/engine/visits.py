"""Visiting mailboxes: each alone, so that what is wrong with one never stops another.

No class of error takes a mailbox off the schedule: the next visit comes, and what was wrong stands
in the mailbox's state meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy import Connection

from cloud.errors import Throttled
from kernel.clock import Clock
from kernel.database import Database
from kernel.errors import ApprovalRests, ApprovalWithdrawn, FenceLost, GuardError
from kernel.log import get_logger
from sync.eligibility.eligibility import Eligibility
from sync.eligibility.evidence import EvidenceAge
from sync.eligibility.review import EligibilityReview
from sync.engine.freshness import Freshness
from sync.engine.leases import Leases
from sync.engine.schedule import Rhythm, after_failure, after_visit
from sync.engine.stream_pass import StreamOutcome, StreamPass
from sync.engine.workload import Workload
from sync.errors import NotOurs, PageLoop
from sync.failpoints import ELIGIBILITY
from sync.meter import Meter
from sync.model.stream import brake_reason
from sync.store import mailboxes
from sync.store.tables import SyncState

VISITS_AT_ONCE = 16
GRACE_SECONDS = 120.0

T = TypeVar("T")

log = get_logger("sync")


@dataclass(frozen=True, slots=True)
class Visit:
    """How a visit ended: with how many items, or with which problem, not before when.

    `is_throttled` tells that a service asked for the wait, `hint` how a person mends the problem.
    """

    record_id: str
    item_count: int = 0
    problem: str | None = None
    until: datetime | None = None
    is_throttled: bool = False
    hint: str | None = None


@dataclass(slots=True)
class _Remembered:
    """What is kept of a mailbox between two visits; `alone` lets one visit wait for the other."""

    rhythm: Rhythm | None = None
    alone: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass(frozen=True, slots=True)
class _Ended:
    """How a visit ended, the state that it leaves (none: as it was), and its streams."""

    visit: Visit
    state: tuple[SyncState, str] | None = None
    streams: Sequence[StreamOutcome] = ()


@dataclass(frozen=True, slots=True)
class _Failure:
    """What an error makes of a visit; `stops_all` when the mailbox's other streams have it too."""

    ended: _Ended
    stops_all: bool = False


class Visits:
    """Visits mailboxes and remembers how that went."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        workloads: Sequence[Workload[Any]],
        stream_pass: StreamPass,
        review: EligibilityReview,
        evidence: EvidenceAge,
        leases: Leases,
        freshness: Freshness,
        meter: Meter,
    ) -> None:
        self._database = database
        self._clock = clock
        self._workloads = workloads
        self._stream_pass = stream_pass
        self._review = review
        self._evidence = evidence
        self._leases = leases
        self._freshness = freshness
        self._meter = meter
        self._remembered: dict[str, _Remembered] = {}
        self._at_once = asyncio.Semaphore(VISITS_AT_ONCE)

    def due_at(self, record_id: str) -> datetime | None:
        """Return when a mailbox is due; None when it was never visited by this process."""
        rhythm = self._of(record_id).rhythm
        return None if rhythm is None else rhythm.due_at

    async def visit_all(
        self, mailboxes: Collection[Eligibility], *, grace_seconds: float = GRACE_SECONDS
    ) -> list[Visit]:
        """Visit these mailboxes, some at once, and return how each went."""
        try:
            async with asyncio.TaskGroup() as group:
                visits = [
                    group.create_task(self.visit(one, grace_seconds=grace_seconds))
                    for one in mailboxes
                ]
        except BaseExceptionGroup as failed:
            # Only what could not even be written down gets here; the visits have all ended.
            raise failed.exceptions[0] from None
        return [visit.result() for visit in visits]

    async def visit(
        self, eligibility: Eligibility, *, grace_seconds: float = GRACE_SECONDS
    ) -> Visit:
        """Bring one mailbox up to date; what goes wrong becomes its state, never an exception."""
        record_id = eligibility.approval.record_id
        remembered = self._of(record_id)
        async with self._at_once, remembered.alone:
            ended = await self._visit(record_id, grace_seconds=grace_seconds)
            visit, now = ended.visit, self._clock.now()
            rhythm = remembered.rhythm or Rhythm(now)
            if visit.problem is None:
                rhythm = after_visit(rhythm, now=now, item_count=visit.item_count)
            else:
                rhythm = after_failure(rhythm, now=now, until=visit.until)
            for one in ended.streams:
                self._freshness.note(
                    one.stream, fresh_as_of=one.fresh_as_of, empty=one.empty_answers
                )
            if ended.state is not None:
                self._freshness.note_due(record_id, rhythm.due_at)
                await self._write_state(record_id, ended.state, due_at=rhythm.due_at)
            remembered.rhythm = rhythm
        return visit

    async def _visit(self, record_id: str, *, grace_seconds: float) -> _Ended:
        eligibility = await self._attempt(record_id, self._eligibility_of(record_id))
        if isinstance(eligibility, _Failure):
            return eligibility.ended
        if not eligibility.is_eligible:
            return _Ended(Visit(record_id))
        self._meter.add("mailboxes")
        streams: list[StreamOutcome] = []
        failed: _Ended | None = None
        for workload, folder in self._streams_of(eligibility):
            outcome = await self._attempt(
                record_id,
                self._stream_pass.run(workload, folder, eligibility, grace_seconds=grace_seconds),
            )
            if not isinstance(outcome, _Failure):
                streams.append(outcome)
                continue
            # The first failure is told; the streams of other workloads are tried nevertheless.
            failed = failed or outcome.ended
            if outcome.stops_all:
                break
        if failed is not None:
            return replace(failed, streams=streams)
        item_count = sum(one.item_count for one in streams)
        reason = self._brake_reason(streams)
        if reason is None:
            return _Ended(Visit(record_id, item_count=item_count), (SyncState.SYNCED, ""), streams)
        visit = Visit(record_id, item_count=item_count, problem=reason)
        return _Ended(visit, (SyncState.BRAKE, reason), streams)

    def _brake_reason(self, streams: Sequence[StreamOutcome]) -> str | None:
        """Return what the first pulled brake of these streams tells people; None without one."""
        nouns = {one.name: one.noun for one in self._workloads}
        for one in streams:
            if one.stream.braked is not None:
                return brake_reason(one.stream.braked, noun=nouns[one.stream.workload])
        return None

    def _streams_of(self, eligibility: Eligibility) -> list[tuple[Workload[Any], str]]:
        """Return what is read of a mailbox: the folders of the workloads that are ours."""
        return [
            (workload, folder)
            for workload in self._workloads
            if workload.delivery in eligibility.deliveries
            for folder in workload.folders
        ]

    async def _eligibility_of(self, record_id: str) -> Eligibility:
        await self._review.refresh(self._leases.shards)
        found = self._review.of(record_id)
        if found.is_eligible:
            await self._evidence.renew(found.approval)
        return found

    async def _attempt(self, record_id: str, step: Awaitable[T]) -> T | _Failure:
        """Return what a step gave, or what its error makes of the visit."""
        try:
            return await step
        except (ApprovalWithdrawn, NotOurs) as error:
            # The next review writes the state; here we only stop.
            log.info("visit_stopped", record_id=record_id, reason=error.message)
            return _Failure(_Ended(Visit(record_id)), stops_all=True)
        except ApprovalRests as error:
            log.warning("visit_rests", record_id=record_id, reason=error.message)
            visit = Visit(record_id, problem=error.message)
            return _Failure(_Ended(visit, (SyncState.RESTING, error.message)), stops_all=True)
        except FenceLost as error:
            self._leases.lose(int(error.context.get("shard", -1)))
            return _Failure(_Ended(Visit(record_id, problem=error.message)), stops_all=True)
        except Throttled as error:
            visit = Visit(record_id, problem=error.message, until=error.until, is_throttled=True)
            reason = f"{error.message} Not before {_text(error.until)}."
            return _Failure(_Ended(visit, (SyncState.THROTTLED, reason)), stops_all=True)
        except PageLoop as error:
            log.warning("visit_in_circles", record_id=record_id, error=error.message)
            visit = Visit(record_id, problem=error.message, hint=error.hint)
            return _Failure(_Ended(visit, (SyncState.LOOPING, error.message)))
        except GuardError as error:
            log.warning(
                "visit_failed", record_id=record_id, error_code=error.code, error=error.message
            )
            reason = f"{error.code}: {error.message}"
            until = getattr(error, "until", None)
            visit = Visit(record_id, problem=reason, until=until, hint=error.hint)
            return _Failure(_Ended(visit, (SyncState.FAILING, reason)))
        except Exception as error:
            log.error("visit_raised", record_id=record_id, exc_info=error)
            reason = f"bug: {type(error).__name__}"
            visit = Visit(record_id, problem=reason)
            return _Failure(_Ended(visit, (SyncState.FAILING, reason)))

    async def _write_state(
        self, record_id: str, state: tuple[SyncState, str], *, due_at: datetime
    ) -> None:
        """Write a state that changed; the same one again writes nothing (law 10).

        When it is due goes with it, and otherwise with the next batch of freshness.
        """
        known = self._review.states.get(record_id)
        if known is not None and (known.state, known.reason) == state:
            return
        now = self._clock.now()

        def save(connection: Connection) -> mailboxes.MailboxState | None:
            mailboxes.set_state(
                connection, record_id, state=state[0], reason=state[1], now=now, next_at=due_at
            )
            return mailboxes.find(connection, record_id)

        stored = await self._database.write(save, failpoint=ELIGIBILITY)
        if stored is not None:
            self._review.states[record_id] = stored

    def _of(self, record_id: str) -> _Remembered:
        return self._remembered.setdefault(record_id, _Remembered())


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
