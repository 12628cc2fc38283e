"""Who works on which share of the mailboxes (law 9).

    shard       a fixed share of the mailboxes, the same in every process
    lease       one shard as one process holds it, while its heartbeats come
    fence       a number of the shard that rises when the holder changes

Every commit of a pass checks the fence, so that a process that was thought dead can wake up without
harm.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Column, Connection, Integer, Table, Text, or_, select, update

from kernel.database import insert
from kernel.errors import FenceLost
from kernel.failpoints import failpoint
from kernel.tables import Instant, metadata

SHARDS = 16
HEARTBEAT_SECONDS = 10.0
LEASE_SECONDS = 30.0

HEARTBEAT = failpoint("shards.heartbeat", "A process says that it still holds its shards.")
RELEASE = failpoint("shards.release", "A process gives its shards back.")

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
