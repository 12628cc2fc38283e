"""Visiting mailboxes: each alone, so that the trouble of one never stops another.

No class of error takes a mailbox off the schedule: the next visit comes, and what was wrong stands
in the mailbox's state meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection

from cloud.errors import Throttled
from kernel.clock import Clock
from kernel.database import Database
from kernel.errors import ApprovalWithdrawn, FenceLost, GuardError
from kernel.log import get_logger
from sync.eligibility.eligibility import Eligibility, Ground
from sync.eligibility.review import EligibilityReview
from sync.engine.freshness import Freshness
from sync.engine.leases import Leases
from sync.engine.meter import Meter
from sync.engine.schedule import Rhythm, after_failure, after_look
from sync.engine.stream_pass import Look, StreamPass
from sync.errors import NotOurs
from sync.failpoints import STANDING
from sync.mail.item import text_from_moment
from sync.store import mailboxes
from sync.store.streams import brake_reason
from sync.store.tables import SyncState

AT_ONCE = 16
GRACE_SECONDS = 120.0

log = get_logger("sync")


@dataclass(frozen=True, slots=True)
class Visit:
    """How a visit ended: with how many items, or with which trouble, not before when.

    `is_throttled` tells that a service asked for the wait.
    """

    record_id: str
    item_count: int = 0
    trouble: str | None = None
    until: datetime | None = None
    is_throttled: bool = False


@dataclass(slots=True)
class _Remembered:
    rhythm: Rhythm | None = None
    alone: asyncio.Lock = field(default_factory=asyncio.Lock)


class Visits:
    """Visits mailboxes and remembers how that went."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        stream_pass: StreamPass,
        standings: EligibilityReview,
        leases: Leases,
        freshness: Freshness,
        meter: Meter,
    ) -> None:
        self._database = database
        self._clock = clock
        self._stream_pass = stream_pass
        self._standings = standings
        self._leases = leases
        self._freshness = freshness
        self._meter = meter
        self._remembered: dict[str, _Remembered] = {}
        self._slots = asyncio.Semaphore(AT_ONCE)

    def due_at(self, record_id: str) -> datetime | None:
        """Return when a mailbox is due; None when it was never visited by this process."""
        rhythm = self._of(record_id).rhythm
        return None if rhythm is None else rhythm.due_at

    def wake(self, record_id: str) -> None:
        """Let a mailbox be due now."""
        self._of(record_id).rhythm = None

    async def visit_all(
        self, standings: Collection[Eligibility], *, grace_seconds: float = GRACE_SECONDS
    ) -> list[Visit]:
        """Visit these mailboxes, some at once, and return how each went."""
        return list(
            await asyncio.gather(
                *(self.visit(one, grace_seconds=grace_seconds) for one in standings)
            )
        )

    async def visit(self, standing: Eligibility, *, grace_seconds: float = GRACE_SECONDS) -> Visit:
        """Bring one mailbox up to date; what goes wrong becomes its state, never an exception."""
        record_id = standing.approval.record_id
        remembered = self._of(record_id)
        async with self._slots, remembered.alone:
            visit, state, look = await self._visit(standing, grace_seconds=grace_seconds)
            now = self._clock.now()
            rhythm = remembered.rhythm or Rhythm(now)
            if visit.trouble is None:
                rhythm = after_look(rhythm, now=now, item_count=visit.item_count)
            else:
                rhythm = after_failure(rhythm, now=now, until=visit.until)
            if look is not None:
                self._freshness.note(
                    look.stream, fresh_as_of=look.fresh_as_of, empty=look.empty_answers
                )
            if state is not None:
                self._freshness.note_due(record_id, rhythm.due_at)
                await self._write_state(record_id, state, due_at=rhythm.due_at)
            remembered.rhythm = rhythm
        return visit

    async def _visit(
        self, standing: Eligibility, *, grace_seconds: float
    ) -> tuple[Visit, tuple[SyncState, str] | None, Look | None]:
        record_id = standing.approval.record_id
        try:
            await self._standings.refresh(self._leases.shards)
            standing = self._standings.of(record_id)
            if standing.ground is not Ground.OURS:
                return Visit(record_id), None, None
            look = await self._stream_pass.run(standing, grace_seconds=grace_seconds)
        except (ApprovalWithdrawn, NotOurs) as error:
            # The next review of the standings writes the state; here we only stop.
            log.info("visit_stopped", record_id=record_id, reason=error.message)
            return Visit(record_id), None, None
        except FenceLost as error:
            self._leases.lose(self._shard_of(error))
            return Visit(record_id, trouble=error.message), None, None
        except Throttled as error:
            visit = Visit(record_id, trouble=error.message, until=error.until, is_throttled=True)
            reason = f"{error.message} Not before {text_from_moment(error.until)}."
            return visit, (SyncState.THROTTLED, reason), None
        except GuardError as error:
            log.warning(
                "visit_failed", record_id=record_id, error_code=error.code, error=error.message
            )
            until = getattr(error, "until", None)
            reason = f"{error.code}: {error.message}"
            return Visit(record_id, trouble=reason, until=until), (SyncState.FAILING, reason), None
        except Exception as error:
            log.error("visit_raised", record_id=record_id, exc_info=error)
            reason = f"bug: {type(error).__name__}"
            return Visit(record_id, trouble=reason), (SyncState.FAILING, reason), None
        self._meter.add("mailboxes")
        if look.stream.braked is None:
            return Visit(record_id, item_count=look.item_count), (SyncState.SYNCED, ""), look
        reason = brake_reason(look.stream.braked)
        visit = Visit(record_id, item_count=look.item_count, trouble=reason)
        return visit, (SyncState.BRAKE, reason), look

    async def _write_state(
        self, record_id: str, state: tuple[SyncState, str], *, due_at: datetime
    ) -> None:
        """Write a state that changed; the same one again writes nothing (law 10).

        When it is due goes with it, and otherwise with the next batch of freshness.
        """
        known = self._standings.states.get(record_id)
        if known is not None and (known.state, known.reason) == state:
            return
        now = self._clock.now()

        def save(connection: Connection) -> mailboxes.MailboxState | None:
            mailboxes.set_state(
                connection, record_id, state=state[0], reason=state[1], now=now, next_at=due_at
            )
            return mailboxes.find(connection, record_id)

        stored = await self._database.write(save, failpoint=STANDING)
        if stored is not None:
            self._standings.states[record_id] = stored

    def _of(self, record_id: str) -> _Remembered:
        return self._remembered.setdefault(record_id, _Remembered())

    @staticmethod
    def _shard_of(error: FenceLost) -> int:
        return int(error.context.get("shard", -1))
