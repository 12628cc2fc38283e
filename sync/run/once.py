"""`sync run --once`: one full pass, by this process, or by the one that holds the shards."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from kernel.errors import GuardError
from kernel.ids import new_id
from kernel.log import get_logger
from kernel.shards import HEARTBEAT_SECONDS, LEASE_SECONDS, SHARDS
from sync.errors import PassUnanswered
from sync.failpoints import PASS_REQUEST
from sync.run.assembly import Assembly
from sync.run.full_pass import full_pass
from sync.run.report import PassReport, together
from sync.store import passes

POLL_SECONDS = 0.25
CLAIM_AGAIN_SECONDS = 2.0

log = get_logger("sync")


async def once(sync: Assembly, *, wait_seconds: float = 3600.0) -> PassReport:
    """Return the report of a full pass over every approved mailbox.

    What another living process holds is asked of it, through the database, and waited for.
    Raises PassUnanswered when it holds on to its shards and never answers.
    """
    stopping = asyncio.Event()
    heart: asyncio.Task[None] | None = None
    pass_id = new_id(sync.clock.now())
    try:
        # 1. What is free becomes ours for the pass; for the rest its holder is asked at once, so
        #    that both work at the same time.
        held = await sync.leases.claim()
        others = sorted(set(range(SHARDS)) - set(held))
        if others:
            now = sync.clock.now()
            await sync.database.write(
                lambda c: passes.request(c, pass_id, shards=others, now=now), failpoint=PASS_REQUEST
            )
        # 2. Our own part, with the leases kept alive.
        reports = []
        if held:
            heart = asyncio.create_task(_beat(sync, stopping), name="heartbeat of a pass")
            reports.append(await full_pass(sync, held))
        # 3. The answers of the others.
        if others:
            reports += await _others(sync, pass_id, wait_seconds=wait_seconds)
        return together(reports)
    except Exception:
        await _take_back(sync, pass_id, None)
        raise
    finally:
        stopping.set()
        if heart is not None:
            await heart
        await sync.leases.release()


async def _beat(sync: Assembly, stopping: asyncio.Event) -> None:
    """Keep the leases while the pass takes its time; a beat that fails is tried again."""
    while not stopping.is_set():
        # A real wait on purpose: a clock that is only advanced has no need of a heart.
        try:
            await asyncio.wait_for(stopping.wait(), HEARTBEAT_SECONDS)
        except TimeoutError:
            try:
                await sync.leases.beat()
            except GuardError as error:
                log.warning("heartbeat_failed", error_code=error.code, error=error.message)


async def _others(sync: Assembly, pass_id: str, *, wait_seconds: float) -> list[PassReport]:
    """Wait for the answers; a shard whose holder has gone is passed over here instead."""
    reports: list[PassReport] = []
    started = sync.clock.monotonic()
    claim_at = started + CLAIM_AGAIN_SECONDS
    while waiting := await sync.database.read(lambda c: passes.list_open(c, pass_id)):
        elapsed = sync.clock.monotonic() - started
        if elapsed > max(wait_seconds, LEASE_SECONDS):
            raise PassUnanswered(
                "The process that holds the mailboxes did not answer the request for a pass.",
                hint="Look at its log, or stop it and run the command again.",
            )
        if sync.clock.monotonic() >= claim_at:
            claim_at = sync.clock.monotonic() + CLAIM_AGAIN_SECONDS
            free = await _free(sync, waiting)
            if free:
                await _take_back(sync, pass_id, free)
                taken = set(await sync.leases.claim(free)) & set(free)
                reports.append(await full_pass(sync, taken))
                continue
        await sync.clock.sleep(POLL_SECONDS)
    answers = await sync.database.read(lambda c: passes.list_answers(c, pass_id))
    await _take_back(sync, pass_id, None)
    return reports + [PassReport.from_json(answer) for answer in answers]


async def _free(sync: Assembly, shards: Collection[int]) -> list[int]:
    """Return the shards among these that we hold by now, without asking for new ones twice."""
    before = set(sync.leases.shards)
    taken = set(await sync.leases.claim(shards)) - before
    return sorted(taken & set(shards))


async def _take_back(sync: Assembly, pass_id: str, shards: Collection[int] | None) -> None:
    await sync.database.write(
        lambda c: passes.take_back(c, pass_id, shards=shards), failpoint=PASS_REQUEST
    )
