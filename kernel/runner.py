"""Who works on which share of the mailboxes, and doing things every few seconds.

Mailboxes are spread over a fixed number of shards. A shard is leased by one process while it
heartbeats; the fence rises when the holder changes, and every commit of a pass checks it, so that
a process that was thought dead can wake up without harm.
"""

from __future__ import annotations

import asyncio
import random
import zlib
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from sqlalchemy import Column, Connection, Integer, Table, Text, or_, select, update

from kernel.clock import Clock
from kernel.database import insert
from kernel.errors import FenceLost
from kernel.failpoints import Crash, step
from kernel.log import get_logger
from kernel.tables import Instant, metadata

SHARDS = 16
HEARTBEAT_SECONDS = 10.0
LEASE_SECONDS = 30.0
# How long a stop waits for what is under way.
GRACE_SECONDS = 10.0

HEARTBEAT = step("runner.heartbeat", "A process says that it still holds its shards.")
RELEASE = step("runner.release", "A process gives its shards back.")

log = get_logger("runner")

shards = Table(
    "kernel_shards",
    metadata,
    Column("shard", Integer, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("fence", Integer, nullable=False),
    Column("leased_until", Instant, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Lease:
    """One shard as its holder has it."""

    shard: int
    fence: int


def shard_of(record_id: str) -> int:
    """Return the shard of a mailbox record: the same in every process, for ever."""
    return zlib.crc32(record_id.lower().encode()) % SHARDS


def claim_shards(
    connection: Connection,
    *,
    holder: str,
    now: datetime,
    wanted: Sequence[int] | None = None,
    lease_seconds: float = LEASE_SECONDS,
) -> list[Lease]:
    """Lease the wanted shards that nobody else holds; return all that `holder` now holds.

    The fence rises only where the holder changes.
    """
    numbers = range(SHARDS) if wanted is None else wanted
    known = set(connection.scalars(select(shards.c.shard)))
    long_ago = now - timedelta(days=1)
    for number in numbers:
        if number not in known:
            connection.execute(
                insert(connection, shards)
                .values(shard=number, holder="", fence=0, leased_until=long_ago)
                .on_conflict_do_nothing()
            )
    # Locked in one order, so that two processes that claim at once never wait for each other.
    connection.execute(select(shards.c.shard).order_by(shards.c.shard).with_for_update())
    until = now + timedelta(seconds=lease_seconds)
    free = or_(shards.c.leased_until <= now, shards.c.holder == "")
    connection.execute(
        update(shards)
        .where(shards.c.shard.in_(numbers), shards.c.holder != holder, free)
        .values(holder=holder, fence=shards.c.fence + 1, leased_until=until)
    )
    connection.execute(update(shards).where(shards.c.holder == holder).values(leased_until=until))
    rows = connection.execute(
        select(shards.c.shard, shards.c.fence)
        .where(shards.c.holder == holder, shards.c.shard.in_(numbers))
        .order_by(shards.c.shard)
    )
    return [Lease(shard, fence) for shard, fence in rows]


def heartbeat(
    connection: Connection, *, holder: str, now: datetime, lease_seconds: float = LEASE_SECONDS
) -> list[Lease]:
    """Lengthen the leases of `holder` that have not run out; return them."""
    connection.execute(
        update(shards)
        .where(shards.c.holder == holder, shards.c.leased_until > now)
        .values(leased_until=now + timedelta(seconds=lease_seconds))
    )
    rows = connection.execute(
        select(shards.c.shard, shards.c.fence)
        .where(shards.c.holder == holder, shards.c.leased_until > now)
        .order_by(shards.c.shard)
    )
    return [Lease(shard, fence) for shard, fence in rows]


def release(connection: Connection, *, holder: str, now: datetime) -> None:
    """Give every shard of `holder` back at once."""
    connection.execute(
        update(shards).where(shards.c.holder == holder).values(holder="", leased_until=now)
    )


def holders(connection: Connection, *, now: datetime) -> list[str]:
    """Return the processes that hold shards at that moment."""
    statement = (
        select(shards.c.holder)
        .where(shards.c.leased_until > now, shards.c.holder != "")
        .distinct()
        .order_by(shards.c.holder)
    )
    return list(connection.scalars(statement))


def check_fence(connection: Connection, lease: Lease) -> None:
    """Pass only while the lease is the newest of its shard; keeps a take-over waiting.

    Raises FenceLost when the shard has another holder.
    """
    fence = connection.scalar(
        select(shards.c.fence).where(shards.c.shard == lease.shard).with_for_update()
    )
    if fence != lease.fence:
        raise FenceLost(f"Shard {lease.shard} has another holder.", shard=lease.shard)


class Runner(Protocol):
    """Does things again and again."""

    def every(self, seconds: float, fn: Callable[[], Awaitable[object]], *, name: str) -> None:
        """Call `fn` every so many seconds, each time after the last call has ended."""
        ...

    async def stop(self) -> None:
        """Let the calls under way end, for a while, and call no more."""
        ...


async def end(
    tasks: Collection[asyncio.Task[Any]], *, grace_seconds: float = GRACE_SECONDS
) -> None:
    """Wait until the tasks have ended, and break off those that take too long.

    Whoever stops a process kills it soon after: what hangs on a service that is away must not keep
    the rest from being written. What is broken off is taken up again like after a crash.
    Raises what a task raised.
    """
    if not tasks:
        return
    _, late = await asyncio.wait(tasks, timeout=grace_seconds)
    for task in late:
        log.warning("call_broken_off", call=task.get_name())
        task.cancel()
    for ended in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(ended, BaseException) and not isinstance(ended, asyncio.CancelledError):
            raise ended


def always() -> bool:
    """Say that nothing stands in the way of a call."""
    return True


class AsyncioRunner:
    """The embedded runner: one asyncio task for each thing to do.

    Whenever `may_call` says no, calls are left out.
    """

    def __init__(self, clock: Clock, *, may_call: Callable[[], bool] = always) -> None:
        self._clock = clock
        self._may_call = may_call
        self._stopping = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def every(self, seconds: float, fn: Callable[[], Awaitable[object]], *, name: str) -> None:
        """Call `fn` now and every so many seconds, whatever it raises; that is logged once."""
        self._tasks.append(asyncio.create_task(self._repeat(seconds, fn, name), name=name))

    async def stop(self, *, grace_seconds: float = GRACE_SECONDS) -> None:
        """Let the calls under way end, for a while, and call no more."""
        self._stopping.set()
        await end(self._tasks, grace_seconds=grace_seconds)

    async def _repeat(self, seconds: float, fn: Callable[[], Awaitable[object]], name: str) -> None:
        failure = ""
        while not self._stopping.is_set():
            if self._may_call():
                failure = await _call(fn, name, failure)
            # A little spread keeps several processes from calling in step.
            wait = seconds * random.uniform(0.95, 1.05)  # noqa: S311 - no secret hangs on it.
            await self._wait(wait)

    async def _wait(self, seconds: float) -> None:
        """Wait by the clock, or until there is nothing more to wait for."""
        stopping = asyncio.ensure_future(self._stopping.wait())
        sleeping = asyncio.ensure_future(self._clock.sleep(seconds))
        try:
            await asyncio.wait((stopping, sleeping), return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            sleeping.cancel()


async def _call(fn: Callable[[], Awaitable[object]], name: str, failure: str) -> str:
    """Call `fn` and return how it failed, empty when it did not; `failure` is how it did before.

    Told once: what is away may be so for hours, and this is called every second.
    """
    try:
        await fn()
    except Crash:
        raise
    except Exception as error:
        if repr(error) != failure:
            log.error("call_failed", call=name, error=str(error), exc_info=error)
        return repr(error)
    if failure:
        log.info("call_works_again", call=name)
    return ""
