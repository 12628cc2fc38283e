"""The handler of the intent *verify*: where is an item that is said to have left its folder?

An entry that says "removed" may mean a move, an item that left a window, or a deletion. Only the
service's own word that the item is gone makes a tombstone, and not too many at once (law 8).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from kernel.brake import Release, brake
from kernel.clock import Clock
from kernel.database import Database
from kernel.errors import ApprovalRests
from kernel.tasks import Task, TaskCause
from kernel.workers import Done, NeedsPerson, TaskOutcome
from sync.engine import outcome as outcomes
from sync.engine.intent import Target, resting
from sync.engine.leases import Leases
from sync.engine.permits import Permits
from sync.engine.workload import Workload
from sync.errors import NotOurs
from sync.failpoints import OUTCOME
from sync.meter import Meter
from sync.model.link import ItemPlace
from sync.model.read import Read
from sync.store import links, streams

REMOVALS = brake(
    "sync.removal",
    counts="items of a folder that are verified to be gone",
    total="items of the folder that are there or were until then",
    window=timedelta(minutes=10),
    release=Release.RESUME,
)


class Verifying:
    """Verifies removals."""

    def __init__(
        self, database: Database, clock: Clock, *, leases: Leases, permits: Permits, meter: Meter
    ) -> None:
        self._database = database
        self._clock = clock
        self._leases = leases
        self._permits = permits
        self._meter = meter

    async def verify(self, workload: Workload[Any], task: Task) -> TaskOutcome:
        """Learn where an item is that left its folder, and write it down.

        Raises what the workload raises: the worker puts the task off.
        """
        target = Target.from_payload(task.payload)
        permit = self._permits.of(
            target.record_id, target.object_id, epoch=target.epoch, delivery=workload.delivery
        )
        link, known = await self._database.read(
            lambda c: (
                links.find(c, target.object_id, target.item_id),
                streams.list_for(c, target.record_id, target.object_id),
            )
        )
        if link is None or link.place is ItemPlace.GONE:
            return Done("nothing to verify")
        try:
            found = await workload.folder_of(target.object_id, target.item_id, permit=permit)
        except (NotOurs, ApprovalRests) as error:
            return resting(error)
        if found is not None:
            read = Read(self._clock.now(), f"{workload.noun} place")
            # It may have moved into another folder of the same workload, which is read as well.
            here = [
                one.folder
                for one in known
                if one.workload == workload.name and one.folder_id == found
            ]
            if here:
                return await self._record(target, ItemPlace.HERE, folder=here[0], reads=[read])
            return await self._record(target, ItemPlace.ELSEWHERE, reads=[read])
        if task.released_at is None and await self._is_braked(target):
            return NeedsPerson(
                f"Too many {workload.noun}s of this folder are gone at once.",
                f"Look at the folder; `{REMOVALS.release}` lets them be taken for deleted.",
                cause=TaskCause.BRAKE,
            )
        done = await self._record(target, ItemPlace.GONE)
        self._meter.add("removed")
        return done

    async def _record(
        self,
        target: Target,
        place: ItemPlace,
        *,
        folder: str | None = None,
        reads: list[Read] | None = None,
    ) -> TaskOutcome:
        lease, now = self._leases.of(target.record_id), self._clock.now()
        await self._database.write(
            lambda c: outcomes.record_place(
                c, target, place, folder=folder, lease=lease, now=now, reads=reads or []
            ),
            failpoint=OUTCOME,
        )
        if place is ItemPlace.GONE:
            return Done("gone; its row stays")
        return Done(f"the item is {place}")

    async def _is_braked(self, target: Target) -> bool:
        """Return whether one more tombstone would be too many of its folder at once."""
        since = self._clock.now() - (REMOVALS.window or timedelta())
        stream = target.stream
        gone, here = await self._database.read(
            lambda c: (links.count_gone_since(c, stream, since), links.count_here(c, stream))
        )
        return REMOVALS.check(gone + 1, gone + here) is not None
