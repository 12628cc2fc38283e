"""Permits: asked right before every attempt to reach a mailbox, retries included.

A permit needs an approval under the epoch the work began with that does not rest, the shard's
fence, no pause, and an eligibility that is not too old. Each permit that is given is one request to
Exchange.
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Connection, bindparam, select

from kernel import approvals
from kernel.clock import Clock
from kernel.database import Database
from kernel.errors import FenceLost
from kernel.shards import Lease, shards
from sync.eligibility.eligibility import EligibilityStatus
from sync.eligibility.review import EligibilityReview
from sync.engine.leases import Leases
from sync.engine.workload import Permit
from sync.errors import NotOurs
from sync.meter import Meter
from sync.model.delivery_method import DeliveryMethod
from sync.store import mailboxes

_FENCE = select(shards.c.fence).where(shards.c.shard == bindparam("number"))


class Permits:
    """Gives permits for the mailboxes of this process's shards."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        leases: Leases,
        review: EligibilityReview,
        meter: Meter,
        evidence_max_age: timedelta,
    ) -> None:
        self._database = database
        self._clock = clock
        self._leases = leases
        self._review = review
        self._meter = meter
        self._evidence_max_age = evidence_max_age

    def of(self, record_id: str, object_id: str, *, epoch: int, delivery: DeliveryMethod) -> Permit:
        """Return the permit for a part of the record's mailbox, to be asked before each attempt.

        `object_id` is the Exchange object that is going to be reached.

        Asking raises ApprovalWithdrawn, ApprovalRests, FenceLost, NotOurs or EligibilityUnknown.
        """

        async def permit() -> None:
            await self.check(record_id, object_id, epoch=epoch, delivery=delivery)
            self._meter.add("graph_requests")

        return permit

    async def check(
        self, record_id: str, object_id: str, *, epoch: int, delivery: DeliveryMethod
    ) -> None:
        """Pass only while work for that mailbox is allowed; for effects outside of Exchange."""
        found = self._review.of(record_id)
        if delivery not in found.deliveries:
            # An eligible mailbox may be ours in part: then this part is Microsoft's.
            status = EligibilityStatus.MICROSOFT_SYNC if found.is_eligible else found.status
            raise NotOurs(
                f"Mailbox {record_id} is not ours to sync now: {status}.",
                record_id=record_id,
            )
        lease = self._leases.of(record_id)
        now = self._clock.now()
        max_age = self._evidence_max_age

        def read(connection: Connection) -> None:
            approvals.permit(
                connection,
                record_id,
                object_id=object_id,
                epoch=epoch,
                now=now,
                evidence_max_age=max_age,
            )
            _check(connection, record_id, lease=lease)

        await self._database.read(read)


def _check(connection: Connection, record_id: str, *, lease: Lease) -> None:
    # Only read here: `check_fence` would lock the row, which a reading connection may not.
    fence = connection.scalar(_FENCE, {"number": lease.shard})
    if fence != lease.fence:
        raise FenceLost(f"Shard {lease.shard} has another holder.", shard=lease.shard)
    state = mailboxes.find(connection, record_id)
    if state is not None and state.is_paused:
        raise NotOurs(f"Mailbox {record_id} is paused.", record_id=record_id)
