"""The shards that this process holds, in memory; the database decides, this only remembers."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, and_, select, update

from kernel import shards, tasks
from kernel.clock import Clock
from kernel.database import Database
from kernel.errors import FenceLost
from kernel.shards import Lease, shard_of
from kernel.tasks import TaskState
from sync.engine.holder import is_surely_dead
from sync.failpoints import TAKE_OVER
from sync.store import passes, payloads

PAYLOAD_DAYS = 7


class Leases:
    """What is held under one holder's name; `kinds` are the tasks that belong to the shards."""

    def __init__(
        self, database: Database, clock: Clock, *, holder: str, kinds: Collection[str]
    ) -> None:
        self._database = database
        self._clock = clock
        self.holder = holder
        self._kinds = kinds
        self._held: dict[int, Lease] = {}

    @property
    def shards(self) -> list[int]:
        """The shards held, in order."""
        return sorted(self._held)

    def of(self, record_id: str) -> Lease:
        """Return the lease that a mailbox falls under. Raises FenceLost when it is not held."""
        shard = shard_of(record_id)
        if shard not in self._held:
            raise FenceLost(f"Shard {shard} is not held by this process.", shard=shard)
        return self._held[shard]

    async def claim(self, wanted: Collection[int] | None = None) -> list[int]:
        """Lease what nobody else holds of the wanted shards (all by default); return what is held.

        Tasks that a dead holder left under way are queued again at once.
        """
        now = self._clock.now()
        held = frozenset(self._held)

        def take(connection: Connection) -> list[Lease]:
            for holder in shards.holders(connection, now=now):
                if is_surely_dead(holder):
                    shards.release(connection, holder=holder, now=now)
            numbers = None if wanted is None else sorted(wanted)
            leases = shards.claim_shards(connection, holder=self.holder, now=now, wanted=numbers)
            taken_over = [one.shard for one in leases if one.shard not in held]
            queue_again(connection, taken_over, kinds=self._kinds)
            payloads.forget_older(connection, now - timedelta(days=PAYLOAD_DAYS))
            passes.forget_older(connection, now - timedelta(days=1))
            return leases

        for lease in await self._database.write(take, failpoint=TAKE_OVER):
            self._held[lease.shard] = lease
        return self.shards

    async def beat(self) -> None:
        """Say that this process lives; forget the shards that have passed to another."""
        if not self._held:
            return
        now = self._clock.now()
        leases = await self._database.write(
            lambda c: shards.heartbeat(c, holder=self.holder, now=now), failpoint=shards.HEARTBEAT
        )
        self._held = {lease.shard: lease for lease in leases}

    async def release(self) -> None:
        """Give everything back."""
        self._held = {}
        now = self._clock.now()
        await self._database.write(
            lambda c: shards.release(c, holder=self.holder, now=now), failpoint=shards.RELEASE
        )

    def lose(self, shard: int) -> None:
        """Forget a shard whose fence has risen."""
        self._held.pop(shard, None)


def queue_again(connection: Connection, shards: Sequence[int], *, kinds: Collection[str]) -> None:
    """Queue the tasks of these kinds that the former holder of these shards had under way.

    Their fence stays, so that whatever the former holder still answers fails once they are claimed.
    """
    if shards:
        connection.execute(
            update(tasks.tasks)
            .where(
                tasks.tasks.c.kind.in_(kinds),
                tasks.tasks.c.state == TaskState.RUNNING,
                tasks.tasks.c.shard.in_(shards),
            )
            .values(state=TaskState.QUEUED, claimed_until=None)
        )


def any_waiting(
    connection: Connection, *, kinds: Collection[str], owners: Collection[str], now: datetime
) -> bool:
    """Return whether `hasten` would find anything: a read, as idle work writes nothing."""
    chosen = select(tasks.tasks.c.id).where(_waiting(kinds=kinds, owners=owners, now=now))
    return connection.execute(chosen.limit(1)).first() is not None


def hasten(
    connection: Connection, *, kinds: Collection[str], owners: Collection[str], now: datetime
) -> None:
    """Let the waiting tasks of these kinds be due now."""
    chosen = _waiting(kinds=kinds, owners=owners, now=now)
    connection.execute(update(tasks.tasks).where(chosen).values(not_before=now))


def _waiting(
    *, kinds: Collection[str], owners: Collection[str], now: datetime
) -> ColumnElement[bool]:
    return and_(
        tasks.tasks.c.kind.in_(kinds),
        tasks.tasks.c.state == TaskState.QUEUED,
        tasks.tasks.c.not_before > now,
        tasks.tasks.c.owner.in_(owners),
    )
