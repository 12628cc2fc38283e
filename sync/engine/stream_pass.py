"""Bringing one stream up to date: page by page, each committed before the next is asked for.

The order is law: fetch a page, commit it with its cursor, carry out its tasks. An empty page of a
round that changes nothing is not written at all: its delta link stays in memory, and is written
beside the next page that holds something, or after a quarter of an hour. Until then a restart
replays from the older link, which is harmless.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cloud.errors import CursorLost
from kernel.clock import Clock
from kernel.database import Database
from kernel.log import get_logger
from kernel.shards import Lease
from kernel.workers import Workers
from sync.eligibility.eligibility import Eligibility
from sync.eligibility.review import EligibilityReview
from sync.engine import page_commit
from sync.engine.intent import KINDS
from sync.engine.leases import Leases
from sync.engine.meter import Meter
from sync.engine.page_commit import PageWork
from sync.engine.permits import Permits
from sync.errors import ResetLoop
from sync.exchange.port import Exchange, Page
from sync.failpoints import EPOCH, PAGE, PAYLOADS, RESET
from sync.mail.item import Item, UnreadableEntry, entry_from
from sync.mail.verdict import Fate, Judge, Verdict
from sync.store import links, payloads, streams
from sync.store.streams import Stream

CURSOR_MINUTES = 15
MAX_RESETS = 2
# So few that each is surely done before its claim ends.
TASKS_AT_ONCE = 40

log = get_logger("sync")


@dataclass(frozen=True, slots=True)
class Look:
    """What came of bringing a stream up to date."""

    stream: Stream
    fresh_as_of: datetime
    item_count: int
    empty_answers: int


class StreamPass:
    """Brings streams up to date; one at a time for each mailbox, as its caller sees to."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        exchange: Exchange,
        permits: Permits,
        standings: EligibilityReview,
        leases: Leases,
        workers: Workers,
        judge: Judge,
        meter: Meter,
    ) -> None:
        self._database = database
        self._clock = clock
        self._exchange = exchange
        self._permits = permits
        self._standings = standings
        self._leases = leases
        self._workers = workers
        self._judge = judge
        self._meter = meter
        self._newer_links: dict[str, str] = {}
        self._known: dict[str, tuple[Lease, Stream]] = {}

    async def run(self, standing: Eligibility, *, grace_seconds: float) -> Look:
        """Bring the Inbox of a mailbox up to date and carry out what its pages planned.

        Raises what the ports raise, ApprovalWithdrawn, FenceLost, and ResetLoop.
        """
        lease = self._leases.of(standing.approval.record_id)
        epoch = standing.approval.epoch
        stream = await self._begin(standing, lease)
        permit = self._permits.of(stream.record_id, epoch=epoch)
        link = stream.page_cursor or self._newer_links.get(stream.stream_id) or stream.cursor
        item_count, empty_answers, resets = 0, 0, 0
        while True:
            # A back-fill may take hours, and what Dataverse said may not get older than allowed.
            await self._standings.refresh(self._leases.shards)
            asked_at = self._clock.now()
            try:
                page = await self._exchange.page(
                    stream.object_id, folder=stream.folder, link=link, permit=permit
                )
            except CursorLost as error:
                resets += 1
                stream = await self._reset(stream, lease, epoch=epoch, resets=resets, error=error)
                link = None
                continue
            self._meter.add("listed", len(page.entries))
            item_count += len(page.entries)
            empty_answers += not page.entries
            if self._is_idle(stream, page):
                if page.delta_link is not None:
                    self._newer_links[stream.stream_id] = page.delta_link
            else:
                stream = await self._commit(
                    stream, page, lease=lease, epoch=epoch, asked_at=asked_at, grace=grace_seconds
                )
                await self._carry_out(stream.record_id)
            if page.delta_link is not None:
                self._known[stream.stream_id] = (lease, stream)
                return Look(stream, asked_at, item_count, empty_answers)
            link = page.next_link

    async def _begin(self, standing: Eligibility, lease: Lease) -> Stream:
        approval = standing.approval
        fresh = streams.new_stream(approval.record_id, approval.object_id)
        # While the fence is the same, nobody else moves a stream; only a brake is let go by others.
        known_under, known_stream = self._known.pop(fresh.stream_id, (None, None))
        if known_under == lease and known_stream is not None and known_stream.brake is None:
            stream: Stream | None = known_stream
        else:
            stream = await self._database.read(lambda c: streams.find(c, fresh.stream_id))
        if stream is None or stream.epoch == approval.epoch:
            return stream or fresh
        known, now = stream, self._clock.now()
        return await self._database.write(
            lambda c: page_commit.commit_epoch(
                c, known, lease=lease, epoch=approval.epoch, now=now
            ),
            failpoint=EPOCH,
        )

    async def _reset(
        self, stream: Stream, lease: Lease, *, epoch: int, resets: int, error: CursorLost
    ) -> Stream:
        if resets > MAX_RESETS:
            raise ResetLoop(
                f"The cursor of {stream.folder} was lost {resets} times before a round ended."
            ) from error
        log.warning("cursor_lost", record_id=stream.record_id, reason=error.message)
        self._newer_links.pop(stream.stream_id, None)
        now = self._clock.now()
        return await self._database.write(
            lambda c: page_commit.commit_reset(c, stream, lease=lease, epoch=epoch, now=now),
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
        return self._clock.now() - stream.cursor_at < timedelta(minutes=CURSOR_MINUTES)

    async def _commit(
        self,
        stream: Stream,
        page: Page,
        *,
        lease: Lease,
        epoch: int,
        asked_at: datetime,
        grace: float,
    ) -> Stream:
        entries = tuple(entry_from(message) for message in page.entries)
        verdicts = self._verdicts(entries)
        now = self._clock.now()
        await self._store_payloads(stream, page, entries, verdicts, now=now)
        work = PageWork(
            lease=lease,
            epoch=epoch,
            stream=stream,
            page=page,
            entries=entries,
            verdicts=verdicts,
            asked_at=asked_at,
            now=now,
            grace_seconds=grace,
        )
        result = await self._database.write(
            lambda c: page_commit.commit_page(c, work), failpoint=PAGE
        )
        self._newer_links.pop(stream.stream_id, None)
        self._meter.add("tracked", result.tracked)
        self._meter.add("skipped", result.skipped)
        return result.stream

    def _verdicts(self, entries: Sequence[Item | UnreadableEntry]) -> dict[str, Verdict]:
        verdicts: dict[str, Verdict] = {}
        for entry in entries:
            if isinstance(entry, Item) and not entry.removed:
                try:
                    verdicts[entry.item_id] = self._judge(entry)
                except Exception as error:
                    # The plan sets aside an item without a verdict; the stream goes on.
                    log.error("verdict_failed", item_id=entry.item_id, exc_info=error)
        return verdicts

    async def _store_payloads(
        self,
        stream: Stream,
        page: Page,
        entries: Sequence[Item | UnreadableEntry],
        verdicts: Mapping[str, Verdict],
        *,
        now: datetime,
    ) -> None:
        """Keep the new mails of a page for their tasks, before the page's own transaction."""
        wanted = {
            entry.item_id: message
            for entry, message in zip(entries, page.entries, strict=True)
            if isinstance(entry, Item)
            and entry.is_whole
            and entry.item_id in verdicts
            and verdicts[entry.item_id].fate is not Fate.SKIP
        }
        known = await self._database.read(
            lambda c: links.find_many(c, stream.object_id, list(wanted))
        )
        new = {item_id: one for item_id, one in wanted.items() if item_id not in known}
        bodies = await asyncio.to_thread(payloads.packed_all, new)
        if bodies:
            await self._database.write(
                lambda c: payloads.store(c, stream.object_id, bodies, now=now), failpoint=PAYLOADS
            )

    async def _carry_out(self, record_id: str) -> None:
        """Carry out what is due for a mailbox, so that never more than a page waits."""
        while await self._workers.run_due(kinds=KINDS, owner=record_id, limit=TASKS_AT_ONCE):
            pass
