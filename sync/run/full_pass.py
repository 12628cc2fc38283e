"""A full pass: every stream of every approved mailbox of some shards, brought up to date."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import Connection, func, select

from kernel.log import get_logger
from kernel.shards import shard_of
from kernel.tasks import OPEN_STATES, TaskCause, TaskState, any_stopped, release, tasks
from sync.eligibility.eligibility import Eligibility, EligibilityStatus
from sync.engine.freshness import FLUSH_SECONDS
from sync.engine.leases import any_waiting, hasten
from sync.engine.stream_pass import TASKS_AT_ONCE
from sync.engine.visits import Visit
from sync.failpoints import TAKE_OVER
from sync.run.assembly import Assembly
from sync.run.report import PassReport, Problem, ProblemKind, each_once
from sync.store import quarantine

# How long a single pass waits for a service that asked it to, and for one that is away.
THROTTLED_SECONDS = 600.0
AWAY_SECONDS = 30.0
AGAIN_SECONDS = 5.0
# Whoever asks for a full pass may have mended what tasks need; a brake asks for a word.
NOT_BRAKED = tuple(cause for cause in TaskCause if cause is not TaskCause.BRAKE)

NOT_KNOWN = (EligibilityStatus.UNBACKED, EligibilityStatus.UNKNOWN)

log = get_logger("sync")


async def full_pass(sync: Assembly, shards: Collection[int]) -> PassReport:
    """Bring every stream of every approved mailbox of these shards up to date.

    All are due, and what is set aside or needs a person is tried again, unless a brake stopped it;
    only a wait that a service asked for is respected. Raises CloudError when Dataverse cannot be
    asked which mailboxes are approved: then no mailbox is touched.
    """
    before = sync.meter.reading()
    # 1. Which mailboxes may be reached at all, before any is.
    await sync.review.review(sync.leases.shards)
    approved = [one for one in sync.review.list_all() if shard_of(one.approval.record_id) in shards]
    visited = [one for one in approved if one.is_eligible]
    # 2. What is set aside is due too, and what needs a person goes on.
    await _retry(sync, visited)
    # 3. Every mailbox, until no wait is left that is worth it.
    visits = await _visit_all(sync, visited)
    # 4. The tasks that are left, likewise; and once what could not be had before.
    await _settle(sync, visited, shards)
    await sync.workers.run_due(kinds=sync.supplement_kinds, shards=sorted(shards))
    await sync.freshness.flush(gain_seconds=FLUSH_SECONDS)
    # 5. What could not be brought to an end, each with its reason.
    problems = [
        Problem(visit.record_id, ProblemKind.UNRESOLVED, visit.problem, hint=visit.hint)
        for visit in visits
        if visit.problem is not None
    ]
    unknown = [one for one in approved if one.status in NOT_KNOWN]
    problems += [
        Problem(one.approval.record_id, ProblemKind.UNRESOLVED, one.reason) for one in unknown
    ]
    problems += await sync.database.read(lambda c: _problems(c, sync, approved))
    counts = sync.meter.since(before)
    # A mailbox of which nothing is known was to be brought up to date like the others.
    unread = [one for one in unknown if one.status is EligibilityStatus.UNKNOWN]
    counts["mailboxes"] = len(visited) + len(unread)
    counts["quarantined"] = sum(one.kind is ProblemKind.QUARANTINED for one in problems)
    return PassReport(counts, each_once(problems))


async def _visit_all(sync: Assembly, mailboxes: Collection[Eligibility]) -> list[Visit]:
    """Visit every mailbox, and again once a wait that was asked for is over."""
    started = sync.clock.monotonic()
    by_id = {one.approval.record_id: one for one in mailboxes}
    ended: dict[str, Visit] = {}
    waiting = list(by_id)
    while waiting:
        visits = await sync.visits.visit_all(
            [by_id[record_id] for record_id in waiting], grace_seconds=0.0
        )
        ended |= {visit.record_id: visit for visit in visits}
        elapsed = sync.clock.monotonic() - started
        now = sync.clock.now()
        waits = {
            visit.record_id: max((visit.until - now).total_seconds(), AGAIN_SECONDS)
            for visit in ended.values()
            if visit.until is not None
        }
        due = {
            record_id: seconds
            for record_id, seconds in waits.items()
            if elapsed + seconds <= _longest_wait(ended[record_id])
        }
        if not due:
            break
        first = min(due.values())
        log.info("wait_began", seconds=first, mailboxes=len(due))
        await sync.clock.sleep(first)
        waiting = [record_id for record_id, seconds in due.items() if seconds <= first]
    return list(ended.values())


async def _retry(sync: Assembly, visited: Collection[Eligibility]) -> None:
    owners = [one.approval.record_id for one in visited]
    now = sync.clock.now()
    if await sync.database.read(
        lambda c: any_waiting(c, kinds=sync.supplement_kinds, owners=owners, now=now)
    ):
        await sync.database.write(
            lambda c: hasten(c, kinds=sync.supplement_kinds, owners=owners, now=now),
            failpoint=TAKE_OVER,
        )
    if await sync.database.read(lambda c: quarantine.any_for(c, owners)):
        await sync.database.write(
            lambda c: quarantine.retry(c, owners, kinds=sync.create_kinds, now=now),
            failpoint=TAKE_OVER,
        )
    wanted = partial(any_stopped, kinds=sync.kinds, owners=owners, causes=NOT_BRAKED)
    if await sync.database.read(wanted):
        let_go = partial(release, now=now, kinds=sync.kinds, owners=owners, causes=NOT_BRAKED)
        await sync.database.write(let_go, failpoint=TAKE_OVER)


async def _settle(
    sync: Assembly, visited: Collection[Eligibility], shards: Collection[int]
) -> None:
    """Carry out what still waits for these mailboxes, as long as waiting for it may last."""
    owners = [one.approval.record_id for one in visited]
    if not owners:
        return
    started = sync.clock.monotonic()
    while True:
        elapsed = sync.clock.monotonic() - started
        now = sync.clock.now()
        found = await sync.database.read(lambda c, now=now: _waits(c, sync, owners, now=now))  # type: ignore[misc]
        waits = [wait for wait in found if elapsed + wait.seconds <= wait.longest]
        if not waits:
            return
        if any(wait.is_grace for wait in waits):
            await sync.database.write(
                lambda c, now=now: hasten(c, kinds=sync.verify_kinds, owners=owners, now=now),  # type: ignore[misc]
                failpoint=TAKE_OVER,
            )
        if first := min(wait.seconds for wait in waits):
            await sync.clock.sleep(first)
        await sync.workers.run_due(shards=sorted(shards), limit=TASKS_AT_ONCE)


def _longest_wait(visit: Visit) -> float:
    return THROTTLED_SECONDS if visit.is_throttled else AWAY_SECONDS


@dataclass(frozen=True, slots=True)
class _Wait:
    """How long until some tasks are due, how long that may take, and whether it is only grace.

    Grace is the time that a removal waits before it is verified; a full pass cuts it short.
    """

    seconds: float
    longest: float
    is_grace: bool


def _waits(
    connection: Connection, sync: Assembly, owners: Collection[str], *, now: datetime
) -> list[_Wait]:
    """Return what the tasks of these mailboxes wait for, one for those that are alike."""
    alike = (tasks.c.kind, tasks.c.attempts, tasks.c.cause)
    rows = connection.execute(
        select(*alike, func.min(tasks.c.not_before))
        .where(
            tasks.c.owner.in_(owners),
            tasks.c.kind.in_(sync.kinds),
            tasks.c.state == TaskState.QUEUED,
        )
        .group_by(*alike)
    )
    found = []
    for kind, attempts, cause, due_at in rows:
        seconds = max((due_at - now) / timedelta(seconds=1), 0.0)
        is_grace = kind in sync.verify_kinds and attempts == 0 and seconds > 0
        is_away = cause not in (None, TaskCause.THROTTLED)
        longest = AWAY_SECONDS if is_away else THROTTLED_SECONDS
        found.append(_Wait(0.0 if is_grace else seconds, longest, is_grace))
    return found


def _problems(
    connection: Connection, sync: Assembly, approved: Collection[Eligibility]
) -> list[Problem]:
    everyone = {one.approval.record_id for one in approved}
    found = [
        Problem(one.record_id, ProblemKind.QUARANTINED, one.reason, one.item_id)
        for one in quarantine.list_for(connection, everyone)
    ]
    # The task of what is set aside only tries it again.
    set_aside = {(one.record_id, one.item_id) for one in found}
    # What waits for a mailbox that is paused, or another's, is not for this pass to resolve.
    epochs = {one.approval.record_id: one.approval.epoch for one in approved if one.is_eligible}
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
            tasks.c.kind.in_(sync.kinds),
            tasks.c.state.in_((*OPEN_STATES, TaskState.NEEDS_PERSON)),
        )
        .order_by(tasks.c.id)
    )
    for kind, owner, epoch, state, result, hint, payload in connection.execute(statement):
        item_id = payload.get("item_id")
        tries_again = kind in sync.create_kinds and (owner, item_id) in set_aside
        if epoch == epochs[owner] and not tries_again:
            reason = result or f"The task is {state}."
            found.append(Problem(owner, ProblemKind.UNRESOLVED, reason, item_id, hint))
    return found
