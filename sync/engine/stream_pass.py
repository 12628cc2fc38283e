"""Bringing one stream up to date: page by page, each committed before the next is asked for.

An empty page of a round that changes nothing is not written at all: its delta link stays in memory,
and is written beside the next page that holds something, or after a quarter of an hour. Until then
a restart replays from the older link, which is harmless (law 10).
"""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from cloud.errors import CloudError, CursorLost
from kernel.clock import Clock
from kernel.database import Database
from kernel.errors import GuardError
from kernel.log import get_logger
from kernel.shards import Lease
from kernel.workers import Workers
from sync.eligibility.eligibility import Eligibility
from sync.eligibility.review import EligibilityReview
from sync.engine import page_commit
from sync.engine.fetching import Fetching, may_be_of_an_entry, may_be_of_the_link
from sync.engine.leases import Leases
from sync.engine.page_commit import PageWork
from sync.engine.page_reading import PageReading
from sync.engine.permits import Permits
from sync.engine.workload import Page, Permit, Workload
from sync.errors import PageLoop, ResetLoop
from sync.failpoints import EPOCH, PAGE, RESET
from sync.meter import Meter
from sync.model.stream import Stream, new_stream
from sync.store import streams

CURSOR_MINUTES = 15
MAX_RESETS = 2
# So many visits in a row may end at a stored link before a round is begun without it.
LINK_FAILURES = 3
# So few that each is surely done before its claim ends.
TASKS_AT_ONCE = 40

log = get_logger("sync")


@dataclass(frozen=True, slots=True)
class StreamOutcome:
    """What came of bringing a stream up to date."""

    stream: Stream
    fresh_as_of: datetime
    item_count: int
    empty_answers: int


@dataclass(frozen=True, slots=True)
class _Run:
    """What stays the same while one stream is brought up to date."""

    workload: Workload[Any]
    lease: Lease
    epoch: int
    address: str
    permit: Permit
    grace_seconds: float


class StreamPass:
    """Brings streams up to date; one at a time for each mailbox, as its caller sees to."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        reading: PageReading,
        permits: Permits,
        review: EligibilityReview,
        leases: Leases,
        workers: Workers,
        meter: Meter,
    ) -> None:
        self._database = database
        self._clock = clock
        self._reading = reading
        self._permits = permits
        self._review = review
        self._leases = leases
        self._workers = workers
        self._meter = meter
        # By stream id: delta links newer than the stored ones, each with its round.
        self._newer_links: dict[str, tuple[int, str]] = {}

    async def run(
        self,
        workload: Workload[Any],
        folder: str,
        eligibility: Eligibility,
        *,
        grace_seconds: float,
    ) -> StreamOutcome:
        """Bring one folder of a mailbox up to date and carry out what its pages planned.

        Raises what the workload raises, ApprovalWithdrawn, FenceLost, NotOurs, PageLoop and
        ResetLoop.
        """
        approval = eligibility.approval
        run = _Run(
            workload,
            self._leases.of(approval.record_id),
            approval.epoch,
            approval.address,
            self._permits.of(
                approval.record_id,
                approval.object_id,
                epoch=approval.epoch,
                delivery=workload.delivery,
            ),
            grace_seconds,
        )
        # 1. The stream as it was left, under the approval that holds now.
        stream = await self._begin(run, folder, eligibility)
        link = self._link_of(stream)
        fetching = Fetching(workload, run.permit)
        item_count, empty_answers, resets = 0, 0, 0
        while True:
            # 2. A back-fill may take hours, and what Dataverse said may not get older than allowed.
            await self._review.refresh(self._leases.shards)
            # 3. One page; a link that the service no longer knows begins a full round.
            asked_at = self._clock.now()
            try:
                page = await fetching.page(stream, link)
            except CursorLost as error:
                resets += 1
                if resets > MAX_RESETS:
                    raise ResetLoop(
                        f"The cursor of {folder} was lost {resets} times before a round ended."
                    ) from error
                stream = await self._reset(run, stream, why=error)
                link = None
                continue
            except CloudError as error:
                stream, page = await self._anew(run, stream, fetching, link=link, wrong=error)
            # 4. A round that goes in circles ends here, and the next visit begins a new one.
            try:
                fetching.look_for_loop(stream, page)
            except PageLoop as error:
                await self._reset(run, stream, why=error)
                raise
            self._meter.add("listed", len(page.entries))
            item_count += len(page.entries)
            empty_answers += not page.entries
            # 5. The page is committed with its cursor, and only then carried out.
            if self._is_idle(stream, page):
                if page.delta_link is not None:
                    self._newer_links[stream.stream_id] = (stream.round, page.delta_link)
            else:
                stream = await self._commit(run, stream, page, asked_at=asked_at)
                await self._carry_out(stream.record_id)
            # 6. The end of the round, or the next page.
            if page.delta_link is not None:
                return StreamOutcome(stream, asked_at, item_count, empty_answers)
            link = page.next_link

    async def _begin(self, run: _Run, folder: str, eligibility: Eligibility) -> Stream:
        approval = eligibility.approval
        fresh = new_stream(
            approval.record_id, approval.object_id, workload=run.workload.name, folder=folder
        )
        # Read anew on each visit: a person may have let go a brake, or had a round begun anew.
        stream = await self._database.read(lambda c: streams.find(c, fresh.stream_id))
        if stream is None:
            return fresh
        if stream.identity != fresh.identity:
            # Whose mailbox it is says the approval alone: what was read of another is no beginning.
            log.error("stream_altered", record_id=approval.record_id, stream_id=fresh.stream_id)
            self._newer_links.pop(fresh.stream_id, None)
            stream = replace(fresh, round=stream.round + 1)
        if stream.epoch == run.epoch:
            return stream
        known, now = stream, self._clock.now()
        return await self._database.write(
            lambda c: page_commit.commit_epoch(c, known, lease=run.lease, epoch=run.epoch, now=now),
            failpoint=EPOCH,
        )

    def _link_of(self, stream: Stream) -> str | None:
        """Return where a stream goes on; None where a full round begins."""
        known_round, newer = self._newer_links.get(stream.stream_id, (None, None))
        newer = newer if known_round == stream.round else None
        return stream.page_cursor or newer or stream.cursor

    async def _anew(
        self, run: _Run, stream: Stream, fetching: Fetching, *, link: str | None, wrong: CloudError
    ) -> tuple[Stream, Page]:
        """Return a new round with its first page, where one gets past what is wrong.

        The old round is given up only once a page of the new one is there: what is wrong may be
        the service itself. Raises `wrong` when no new round is to be begun, or none can be.
        """
        self._newer_links.pop(stream.stream_id, None)
        page: Page | None = None
        if may_be_of_an_entry(wrong):
            page = await _or_none(fetching.first_of_ids(stream))
        if page is None and link is not None and may_be_of_the_link(wrong):
            stream = await self._count_failure(run, stream)
            if stream.link_failures >= LINK_FAILURES:
                page = await _or_none(fetching.page(stream, None))
        if page is None:
            raise wrong
        return await self._reset(run, stream, why=wrong), page

    async def _count_failure(self, run: _Run, stream: Stream) -> Stream:
        if stream.link_failures >= LINK_FAILURES:
            return stream
        now = self._clock.now()
        return await self._database.write(
            lambda c: page_commit.commit_failure(
                c, stream, lease=run.lease, epoch=run.epoch, now=now
            ),
            failpoint=RESET,
        )

    async def _reset(self, run: _Run, stream: Stream, *, why: GuardError) -> Stream:
        log.warning("round_begun_anew", record_id=stream.record_id, reason=why.message)
        self._newer_links.pop(stream.stream_id, None)
        now = self._clock.now()
        return await self._database.write(
            lambda c: page_commit.commit_reset(
                c, stream, lease=run.lease, epoch=run.epoch, now=now
            ),
            failpoint=RESET,
        )

    def _is_idle(self, stream: Stream, page: Page) -> bool:
        """Return whether a page need not be written (law 10)."""
        if page.entries:
            return False
        if page.delta_link is None:
            return True
        if stream.is_full or stream.page_cursor is not None or stream.cursor_at is None:
            return False
        if stream.link_failures:
            return False
        return self._clock.now() - stream.cursor_at < timedelta(minutes=CURSOR_MINUTES)

    async def _commit(self, run: _Run, stream: Stream, page: Page, *, asked_at: datetime) -> Stream:
        found = await self._reading.read(
            run.workload, stream, page, address=run.address, permit=run.permit
        )
        work = PageWork(
            workload=run.workload,
            lease=run.lease,
            epoch=run.epoch,
            stream=stream,
            page=page,
            entries=found.entries,
            verdicts=found.verdicts,
            asked_at=asked_at,
            now=self._clock.now(),
            grace_seconds=run.grace_seconds,
            reads=found.reads,
        )
        result = await self._database.write(
            lambda c: page_commit.commit_page(c, work), failpoint=PAGE
        )
        self._newer_links.pop(stream.stream_id, None)
        self._meter.add("skipped", result.skipped)
        return result.stream

    async def _carry_out(self, record_id: str) -> None:
        """Carry out what is due for a mailbox, so that never more than a page waits."""
        while await self._workers.run_due(owner=record_id, limit=TASKS_AT_ONCE):
            pass


async def _or_none(page: Awaitable[Page]) -> Page | None:
    """Return a page, or None where the service gives none either."""
    try:
        return await page
    except CloudError as error:
        log.info("no_new_round", error_code=error.code, error=error.message)
        return None
