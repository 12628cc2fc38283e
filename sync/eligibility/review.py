"""The standing of every mailbox, read from Dataverse before any access and kept for a while.

What Dataverse no longer backs is withdrawn here, before anything else happens. No standing is used
once it is older than the setting allows; a failed reading changes nothing and refreshes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

from sqlalchemy import Connection

from cloud.errors import CloudError
from kernel import approvals
from kernel.approvals import Approval, WithdrawalCause
from kernel.brake import Release, brake
from kernel.clock import Clock
from kernel.database import Database
from kernel.log import get_logger
from kernel.shards import shard_of
from sync.crm.port import SERVER_SIDE_SYNC, Crm, MailboxRow
from sync.eligibility.eligibility import Eligibility, Ground, eligibility_of
from sync.errors import EligibilityUnknown
from sync.failpoints import STANDING, WITHDRAW
from sync.mail.mapping.parties import AddressBook, Known
from sync.store import mailboxes, payloads
from sync.store.mailboxes import MailboxState
from sync.store.tables import SyncState

log = get_logger("sync")

# A reading is renewed well before it is too old to be used.
REFRESH_SHARE = 1 / 3
REVIEW_AGAIN_SECONDS = 5.0
WITHDRAWALS = brake(
    "sync.unbacked",
    counts="approvals that Dataverse no longer backs at one reading",
    total="approved mailboxes of the process's shards",
    release=Release.YES_WITHDRAW,
)

_OWNER_TABLES = {"user": "systemuser", "systemuser": "systemuser", "queue": "queue"}
# A mailbox that leaves one of these grounds waits for its next look.
_LEAVABLE = (SyncState.MICROSOFT_SYNC, SyncState.WITHDRAWN, SyncState.PAUSED)


class EligibilityReview:
    """What is known of the mailboxes of this process's shards."""

    def __init__(
        self, database: Database, clock: Clock, crm: Crm, *, max_age_seconds: float = 900.0
    ) -> None:
        self._database = database
        self._clock = clock
        self._crm = crm
        self._max_age_seconds = max_age_seconds
        self._standings: dict[str, Eligibility] = {}
        self._checked_at: float | None = None
        self._review_not_before = 0.0
        self._reviewing = asyncio.Lock()
        self.states: dict[str, MailboxState] = {}
        self.book: AddressBook = {}

    @property
    def age_seconds(self) -> float:
        """How long ago Dataverse was last read completely; infinite before the first time."""
        if self._checked_at is None:
            return float("inf")
        return self._clock.monotonic() - self._checked_at

    def list_all(self) -> list[Eligibility]:
        """Return every standing, by record id."""
        return [self._standings[record_id] for record_id in sorted(self._standings)]

    def of(self, record_id: str) -> Eligibility:
        """Return the standing of a mailbox.

        Raises EligibilityUnknown when Dataverse was not asked, or too long ago.
        """
        self.check_age()
        standing = self._standings.get(record_id)
        if standing is None:
            raise EligibilityUnknown(f"Mailbox {record_id} was not approved at the last reading.")
        return standing

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
        """Read Dataverse, withdraw what it no longer backs, and write down what changed."""
        async with self._reviewing:
            await self._review(shards)

    async def _review(self, shards: Collection[int]) -> None:
        now, started = self._clock.now(), self._clock.monotonic()
        # The approvals are read before the rows: an approval given meanwhile rests on newer rows.
        approved, states = await self._database.read(
            lambda c: (approvals.list_all(c), mailboxes.list_all(c))
        )
        everyone = [one for one in approved if shard_of(one.record_id) in shards]
        held = [one for one in everyone if one.is_approved(now)]
        found: dict[str, Eligibility] = {}
        if held:
            rows = {row.record_id.casefold(): row for row in await self._crm.mailboxes()}
            profiles = await self._profiles(rows.values())
            for one in held:
                state = states.get(one.record_id)
                is_paused = state is not None and state.is_paused
                found[one.record_id] = eligibility_of(one, rows, profiles, is_paused=is_paused)
        withdrawn = await self._withdraw(found, held_count=len(held), now=now)
        for record_id in withdrawn:
            del found[record_id]
        gone = [one for one in everyone if one.record_id not in found]
        await self._write_states(found, gone, states, now=now)
        self._standings = found
        self.book = _book(held)
        self._checked_at = started

    async def _profiles(self, rows: Iterable[MailboxRow]) -> frozenset[str] | None:
        """Return the active profiles where any row needs them; None when they are not readable."""
        if not any(row.incoming_delivery == SERVER_SIDE_SYNC for row in rows):
            return frozenset()
        try:
            return await self._crm.active_profiles()
        except CloudError as error:
            if error.transient:
                raise
            log.warning("server_profiles_unreadable", error=error.message)
            return None

    async def _withdraw(
        self, found: Mapping[str, Eligibility], *, held_count: int, now: datetime
    ) -> list[str]:
        unbacked = [one for one in found.values() if one.ground is Ground.UNBACKED]
        if not unbacked:
            return []
        if WITHDRAWALS.check(len(unbacked), held_count) is not None:
            log.error("withdrawals_braked", count=len(unbacked), approved=held_count)
            return []

        def withdraw(connection: Connection) -> list[str]:
            done = []
            for standing in unbacked:
                held = approvals.find(connection, standing.approval.record_id)
                # A newer approval rests on a newer reading than ours.
                if held is not None and held.epoch == standing.approval.epoch:
                    approvals.withdraw(
                        connection,
                        record_id=held.record_id,
                        cause=WithdrawalCause.UNBACKED,
                        reason=standing.reason,
                        now=now,
                    )
                    done.append(held.record_id)
            return done

        done = await self._database.write(withdraw, failpoint=WITHDRAW)
        for record_id in done:
            log.warning("approval_withdrawn", record_id=record_id, reason=found[record_id].reason)
        # One whose approval changed meanwhile is judged at the next review, not used before.
        return [one.approval.record_id for one in unbacked]

    async def _write_states(
        self,
        found: Mapping[str, Eligibility],
        gone: Collection[Approval],
        states: Mapping[str, MailboxState],
        *,
        now: datetime,
    ) -> None:
        changes: dict[str, tuple[SyncState, str]] = {}
        for record_id, standing in found.items():
            current = states.get(record_id)
            wanted = _wanted_state(standing, current)
            if current is None or wanted != (current.state, current.reason):
                changes[record_id] = wanted
        gone_ids = [one.record_id for one in gone]
        current_approvals = await self._database.read(
            lambda c: {one: approvals.find(c, one) for one in gone_ids}
        )
        left: list[str] = []
        for record_id, approval in current_approvals.items():
            current = states.get(record_id)
            reason = approval.reason if approval is not None else ""
            if approval is not None and approval.state == approvals.APPROVED:
                reason = "The approval has ended." if not approval.is_approved(now) else ""
            if current is None or (current.state, current.reason) != (SyncState.WITHDRAWN, reason):
                changes[record_id] = (SyncState.WITHDRAWN, reason)
                if approval is not None:
                    left.append(approval.object_id)
        if changes:
            await self._database.write(
                lambda c: _save_states(c, changes, left, now=now), failpoint=STANDING
            )
            states = await self._database.read(mailboxes.list_all)
        self.states = dict(states)


def _wanted_state(standing: Eligibility, current: MailboxState | None) -> tuple[SyncState, str]:
    match standing.ground:
        case Ground.MICROSOFT_SYNC:
            return SyncState.MICROSOFT_SYNC, standing.reason
        case Ground.UNKNOWN:
            return SyncState.FAILING, standing.reason
        case Ground.UNBACKED:
            reason = f"Too many withdrawals at once, a person must look: {standing.reason}"
            return SyncState.BRAKE, reason
        case Ground.PAUSED | Ground.OURS:
            if current is None or (standing.ground is Ground.OURS and current.state in _LEAVABLE):
                return SyncState.WAITING, ""
            return current.state, current.reason


def _save_states(
    connection: Connection,
    changes: Mapping[str, tuple[SyncState, str]],
    left: Collection[str],
    *,
    now: datetime,
) -> None:
    for record_id, (state, reason) in changes.items():
        mailboxes.set_state(connection, record_id, state=state, reason=reason, now=now)
    for object_id in left:
        payloads.forget_mailbox(connection, object_id)


def _book(held: Collection[Approval]) -> AddressBook:
    return {
        one.address.strip().casefold(): Known(_OWNER_TABLES[one.owner_type], one.owner_id)
        for one in held
        if one.owner_type in _OWNER_TABLES and one.owner_id
    }
