"""One page becomes one transaction: links, verdicts, tasks, quarantine, and the cursor last.

The transaction first locks the shard's fence and the approval, so that no work is written for a
mailbox that was withdrawn or has passed to another process (laws 6 and 9). Replaying a page is
harmless; skipping one is impossible, because nothing else moves a cursor.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from kernel import approvals, tasks
from kernel.brake import Braked, Release, brake
from kernel.shards import Lease, check_fence
from sync.engine.intent import Lack, add_intent, task_kind
from sync.engine.schedule import retry_at
from sync.engine.workload import Page, Workload
from sync.model.item import Item, UnreadableEntry
from sync.model.link import Link, LinkState
from sync.model.plan import Intent, IntentKind, Plan
from sync.model.read import Read
from sync.model.stream import Stream
from sync.model.verdict import Fate, Verdict
from sync.store import access, links, quarantine, streams, verdicts

UNLISTED = brake(
    "sync.unlisted",
    counts="known items of a folder that a full round does not list",
    total="known items of the folder",
    release=Release.RESUME,
    stops_at_all=True,
)


@dataclass(frozen=True, slots=True)
class PageWork:
    """Everything that the transaction of a page needs.

    `asked_at` is when the page was asked for; `grace_seconds` how long a removal waits before it is
    verified, because most of them are moves. `reads` are the answers needed beside the page.
    """

    workload: Workload[Any]
    lease: Lease
    epoch: int
    stream: Stream
    page: Page
    entries: tuple[Item | UnreadableEntry, ...]
    verdicts: Mapping[str, Verdict]
    asked_at: datetime
    now: datetime
    grace_seconds: float
    reads: Sequence[Read] = ()


@dataclass(frozen=True, slots=True)
class PageResult:
    """The stream after the page, and what the page came to."""

    stream: Stream
    skipped: int


def commit_page(connection: Connection, work: PageWork) -> PageResult:
    """Write a page and move its cursor.

    Raises FenceLost or ApprovalWithdrawn; then nothing of the page is written.
    """
    # 1. From here on, a take-over or a withdrawal waits for us, or we fail.
    hold(connection, work.stream, lease=work.lease, epoch=work.epoch, now=work.now)
    # 2. The plan, against the links as they are inside the transaction.
    ids = [entry.item_id for entry in work.entries]
    base = links.find_many(connection, work.stream.object_id, ids)
    planned = _with_ways_back(work, base, work.workload.plan(base, work.entries, work.verdicts))
    # 3. All that it says.
    _save(connection, work, planned)
    # 4. The cursor, last: what it has passed is durable in this same transaction.
    stream = _advanced(connection, work)
    streams.save(connection, stream)
    fates = [verdict.fate for _, verdict in planned.verdicts]
    return PageResult(
        stream,
        skipped=fates.count(Fate.SKIP),
    )


def commit_reset(
    connection: Connection, stream: Stream, *, lease: Lease, epoch: int, now: datetime
) -> Stream:
    """Drop a cursor that leads nowhere and begin a full round; every link stays."""
    hold(connection, stream, lease=lease, epoch=epoch, now=now)
    fresh = replace(stream.anew(), epoch=epoch)
    streams.save(connection, fresh)
    return fresh


def commit_failure(
    connection: Connection, stream: Stream, *, lease: Lease, epoch: int, now: datetime
) -> Stream:
    """Count a visit that ended at the stored link."""
    hold(connection, stream, lease=lease, epoch=epoch, now=now)
    failed = replace(stream, link_failures=stream.link_failures + 1, epoch=epoch)
    streams.save(connection, failed)
    return failed


def commit_epoch(
    connection: Connection, stream: Stream, *, lease: Lease, epoch: int, now: datetime
) -> Stream:
    """Let the stream go on under a new approval, and queue again what waited under the old one."""
    hold(connection, stream, lease=lease, epoch=epoch, now=now)
    for item_id in links.list_pending(connection, stream):
        intent = Intent(IntentKind.CREATE, item_id)
        add_intent(connection, stream, intent, epoch=epoch, now=now)
    # A removal that waits to be verified, or stopped at a brake, and what an item lacks.
    for kind in (IntentKind.VERIFY, IntentKind.SUPPLEMENT):
        for task in tasks.supersede(
            connection,
            kind=task_kind(stream.workload, kind),
            owner=stream.record_id,
            epoch=epoch,
            chosen=lambda task: bool(task.payload["stream_id"] == stream.stream_id),
        ):
            lack = Lack.from_payload(task.payload) if "parts" in task.payload else None
            intent = Intent(kind, task.payload["item_id"])
            add_intent(connection, stream, intent, epoch=epoch, now=now, lack=lack)
    continued = replace(stream, epoch=epoch)
    streams.save(connection, continued)
    return continued


def hold(
    connection: Connection, stream: Stream, *, lease: Lease, epoch: int, now: datetime
) -> None:
    """Keep any take-over and any withdrawal waiting until this transaction ends."""
    check_fence(connection, lease)
    approvals.lock(connection, stream.record_id, object_id=stream.object_id, epoch=epoch, now=now)


def _with_ways_back(work: PageWork, base: Mapping[str, Link], planned: Plan) -> Plan:
    """Return the plan with a link and a task for whatever it sets aside, so that it comes back.

    What has its row already is not set aside: the row stays, whatever the newest entry says. Only
    what has no id of its own cannot be read again by itself.
    """
    has_row = {item_id for item_id, link in base.items() if not link.awaits_row}
    set_aside = tuple(one for one in planned.set_aside if one.item_id not in has_row)
    unnamed = _unnamed(work)
    named = [one.item_id for one in set_aside if one.item_id not in unnamed]
    linked = base.keys() | {link.item_id for link in planned.links}
    links = [Link(one, state=LinkState.SET_ASIDE) for one in named if one not in linked]
    intents = [Intent(IntentKind.CREATE, one) for one in named]
    return replace(
        planned,
        set_aside=set_aside,
        links=planned.links + tuple(links),
        intents=tuple(dict.fromkeys((*planned.intents, *intents))),
    )


def _unnamed(work: PageWork) -> set[str]:
    return {
        one.item_id for one in work.entries if isinstance(one, UnreadableEntry) and not one.is_named
    }


def _save(connection: Connection, work: PageWork, planned: Plan) -> None:
    stream, now = work.stream, work.now
    links.save(connection, stream, planned.links, now=now)
    links.follow(connection, stream, planned.known)
    # In the first round every link is new, so there is nothing that could be unseen.
    if stream.is_full and stream.round > 1:
        links.mark_seen(connection, stream, planned.known)
    verdicts.save(
        connection,
        planned.verdicts,
        object_id=stream.object_id,
        workload=stream.workload,
        now=now,
    )
    unnamed, set_aside = _unnamed(work), {one.item_id for one in planned.set_aside}
    for one in planned.set_aside:
        quarantine.put(
            connection,
            record_id=stream.record_id,
            object_id=stream.object_id,
            workload=stream.workload,
            item_id=one.item_id,
            reason=one.reason,
            now=now,
            is_named=one.item_id not in unnamed,
        )
    grace = now + timedelta(seconds=work.grace_seconds)
    for intent in planned.intents:
        not_before = grace if intent.kind is IntentKind.VERIFY else now
        if intent.kind is IntentKind.CREATE and intent.item_id in set_aside:
            not_before = retry_at(1, now=now)
        add_intent(connection, stream, intent, epoch=work.epoch, now=now, not_before=not_before)
    reads = list(work.reads)
    if work.entries:
        operation = f"{work.workload.noun}s delta"
        reads.insert(0, Read(work.asked_at, operation, len(work.entries)))
    access.record(
        connection,
        reads,
        record_id=stream.record_id,
        object_id=stream.object_id,
        workload=stream.workload,
        epoch=work.epoch,
    )


def _advanced(connection: Connection, work: PageWork) -> Stream:
    stream, page = work.stream, work.page
    known = [entry.folder_id for entry in work.entries if isinstance(entry, Item)]
    folder_id = next((one for one in known if one), stream.folder_id)
    stream = replace(stream, epoch=work.epoch, folder_id=folder_id, link_failures=0)
    if page.delta_link is None:
        return replace(stream, page_cursor=page.next_link)
    if stream.is_full:
        braked = _verify_unseen(connection, work)
        stream = replace(stream.braked_by(braked), is_full=False)
    return replace(
        stream,
        cursor=page.delta_link,
        page_cursor=None,
        cursor_at=work.now,
        # As fresh as the question: what changed while the answer was on its way is not in it.
        fresh_as_of=work.asked_at,
    )


def _verify_unseen(connection: Connection, work: PageWork) -> Braked | None:
    """Verify what a complete full round did not list; too many at once pull the brake (law 8)."""
    stream = work.stream
    unseen = links.list_unseen(connection, stream) if stream.round > 1 else []
    total = links.count_here(connection, stream)
    braked = UNLISTED.check(len(unseen), total)
    if braked is not None:
        return braked
    for item_id in unseen:
        intent = Intent(IntentKind.VERIFY, item_id)
        add_intent(connection, stream, intent, epoch=work.epoch, now=work.now)
    return None
