"""The review: which mailboxes may be synced, read from Dataverse before any access.

What Dataverse no longer backs is withdrawn here, before anything else happens. No eligibility is
used once it is older than the setting allows; a failed reading changes nothing and refreshes
nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable

from cloud.errors import CloudError
from kernel import approvals
from kernel.approvals import Approval
from kernel.clock import Clock
from kernel.database import Database
from kernel.log import get_logger
from kernel.shards import shard_of
from sync.eligibility.eligibility import Eligibility, eligibility_of
from sync.eligibility.port import MailboxRow, MailboxRows
from sync.eligibility.states import write_states
from sync.eligibility.withdrawal import withdraw_unbacked
from sync.errors import EligibilityUnknown
from sync.model.address_book import AddressBook, KnownRow
from sync.model.delivery_method import DeliveryMethod
from sync.store import mailboxes
from sync.store.mailboxes import MailboxState

log = get_logger("sync")

# A reading is renewed well before it is too old to be used.
REFRESH_SHARE = 1 / 3
REVIEW_AGAIN_SECONDS = 5.0

_OWNER_TABLES = {"user": "systemuser", "systemuser": "systemuser", "queue": "queue"}


class EligibilityReview:
    """What is known of the mailboxes of this process's shards.

    `states` are the mailbox states by record id, `address_book` whose the approved addresses are.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        rows: MailboxRows,
        *,
        deliveries: Collection[DeliveryMethod],
        max_age_seconds: float = 900.0,
    ) -> None:
        self._database = database
        self._clock = clock
        self._rows = rows
        self._deliveries = deliveries
        self._max_age_seconds = max_age_seconds
        self._found: dict[str, Eligibility] = {}
        self._checked_at: float | None = None
        self._review_not_before = 0.0
        self._reviewing = asyncio.Lock()
        self.states: dict[str, MailboxState] = {}
        self.address_book: AddressBook = {}

    @property
    def age_seconds(self) -> float:
        """How long ago Dataverse was last read completely; infinite before the first time."""
        if self._checked_at is None:
            return float("inf")
        return self._clock.monotonic() - self._checked_at

    def list_all(self) -> list[Eligibility]:
        """Return the eligibility of every approved mailbox, by record id."""
        return [self._found[record_id] for record_id in sorted(self._found)]

    def of(self, record_id: str) -> Eligibility:
        """Return the eligibility of a mailbox.

        Raises EligibilityUnknown when Dataverse was not asked, or too long ago.
        """
        self.check_age()
        found = self._found.get(record_id)
        if found is None:
            raise EligibilityUnknown(f"Mailbox {record_id} was not approved at the last reading.")
        return found

    def check_age(self) -> None:
        """Raise EligibilityUnknown unless Dataverse was read recently enough."""
        if self.age_seconds > self._max_age_seconds:
            raise EligibilityUnknown(
                "Dataverse has not said recently enough which mailboxes are approved.",
                hint="Check that Dataverse can be reached; the sync goes on by itself.",
            )

    async def refresh(self, shards: Collection[int]) -> None:
        """Review when the last reading is getting old; concurrent callers share one.

        A reading that fails is no harm while the last one may still be used; afterwards it is
        raised.
        """
        if self.age_seconds <= self._max_age_seconds * REFRESH_SHARE:
            return
        async with self._reviewing:
            now = self._clock.monotonic()
            may_use = self.age_seconds <= self._max_age_seconds
            is_fresh = self.age_seconds <= self._max_age_seconds * REFRESH_SHARE
            if is_fresh or (may_use and now < self._review_not_before):
                return
            try:
                await self._review(shards)
            except CloudError as error:
                self._review_not_before = now + REVIEW_AGAIN_SECONDS
                if not may_use:
                    raise
                log.warning("review_failed", error_code=error.code, error=error.message)

    async def review(self, shards: Collection[int]) -> None:
        """Read Dataverse, withdraw what it no longer backs, and write down what changed.

        Raises what the port raises; then everything stays as it was.
        """
        async with self._reviewing:
            await self._review(shards)

    async def _review(self, shards: Collection[int]) -> None:
        now, started = self._clock.now(), self._clock.monotonic()
        # 1. The approvals, before the rows: one that is given meanwhile rests on newer rows.
        approved, states = await self._database.read(
            lambda c: (approvals.list_all(c), mailboxes.list_all(c))
        )
        everyone = [one for one in approved if shard_of(one.record_id) in shards]
        held = [one for one in everyone if one.is_approved(now)]
        # 2. The rows, and what they say of each approved mailbox.
        found = await self._read(held, states)
        # 3. What they no longer back is withdrawn before any mailbox is reached.
        for record_id in await withdraw_unbacked(self._database, found, now=now):
            del found[record_id]
        # 4. The states that people see.
        gone = [one for one in everyone if one.record_id not in found]
        self.states = await write_states(self._database, found, gone, states, now=now)
        # 5. Only now is the new reading used; it is as old as its beginning.
        self._found = found
        self.address_book = _address_book(held)
        self._checked_at = started

    async def _read(
        self, held: Collection[Approval], states: dict[str, MailboxState]
    ) -> dict[str, Eligibility]:
        if not held:
            return {}
        rows = {row.record_id.casefold(): row for row in await self._rows.mailboxes()}
        profiles = await self._profiles(rows.values())
        found: dict[str, Eligibility] = {}
        for one in held:
            state = states.get(one.record_id)
            found[one.record_id] = eligibility_of(
                one,
                rows,
                profiles,
                deliveries=self._deliveries,
                is_paused=state is not None and state.is_paused,
            )
        return found

    async def _profiles(self, rows: Iterable[MailboxRow]) -> frozenset[str] | None:
        """Return the active profiles where any row needs them; None when they are not readable."""
        if not any(row.names_server_side_sync(one) for row in rows for one in self._deliveries):
            return frozenset()
        try:
            return await self._rows.active_profiles()
        except CloudError as error:
            if error.transient:
                raise
            log.warning("server_profiles_unreadable", error=error.message)
            return None


def _address_book(held: Collection[Approval]) -> AddressBook:
    return {
        one.address.strip().casefold(): KnownRow(_OWNER_TABLES[one.owner_type], one.owner_id)
        for one in held
        if one.owner_type in _OWNER_TABLES and one.owner_id
    }
