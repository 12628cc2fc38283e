"""Facts about how much an actor changes: within the last hour, and in the same way at once.

Tries count, whatever became of them, and each row counts once, so that the two steps of a change
are one. They are kept in memory. What was before this process, and what others decide beside it,
is read from the ledger, at most once a minute.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from datetime import datetime, timedelta

from guard.facts.actor import ACTIVITY_FACTS, ROOT
from guard.facts.fact_sheet import FactSheet, Question
from guard.ledger.port import Ledger
from guard.ledger.recent import Attempt, signature_of
from kernel.clock import Clock
from kernel.errors import GuardError

FROM_MEMORY = "memory"
RECENT = timedelta(hours=1)
AT_ONCE = timedelta(minutes=10)
READ_EVERY = timedelta(minutes=1)
MOST_ACTORS = 1_000
MOST_CHANGES = 1_000


class Activity:
    """What each actor tried to change within the last hour; the counts end at a thousand."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock
        # By actor, the one who came last at the end; then by row and signature, the time.
        self._actors: OrderedDict[str, dict[tuple[str, str], datetime]] = OrderedDict()
        self._read_at: datetime | None = None
        self._reading = asyncio.Lock()

    async def gather(self, question: Question, sheet: FactSheet) -> None:
        """Count the change that is asked about, and what came before it."""
        paths = [ROOT + name for name in ACTIVITY_FACTS]
        actor_id, change = question.actor_id, question.change
        if actor_id is None:
            for path in paths:
                sheet.lack(path, "the delivery names no actor")
            return
        now = self._clock.now()
        try:
            await self._read(now)
        except GuardError as error:
            sheet.lack_answer(paths, error)
            return
        signature = signature_of(change.table, change.operation, change.before, change.after)
        if signature is not None:
            self._note(Attempt(actor_id, change.record_id, signature, now))
        known = self._recent(actor_id, now)
        similar = {
            row for (row, its), at in known.items() if its == signature and at > now - AT_ONCE
        }
        sheet.know(ROOT + "recentChanges", len({row for row, _ in known}), FROM_MEMORY)
        sheet.know(ROOT + "similarChanges", len(similar), FROM_MEMORY)

    async def _read(self, now: datetime) -> None:
        async with self._reading:
            if self._read_at is not None and now < self._read_at + READ_EVERY:
                return
            # A decision may become durable a little later than its id says.
            since = now - RECENT if self._read_at is None else self._read_at - READ_EVERY
            for attempt in await self._ledger.recent(since=since):
                self._note(attempt)
            self._read_at = now

    def _note(self, attempt: Attempt) -> None:
        changes = self._actors.setdefault(attempt.actor_id, {})
        self._actors.move_to_end(attempt.actor_id)
        key = attempt.record_id, attempt.signature
        if key in changes or len(changes) < MOST_CHANGES:
            changes[key] = max(attempt.at, changes.get(key, attempt.at))
        # Whoever acted longest ago is forgotten, so that many actors cannot fill the memory.
        if len(self._actors) > MOST_ACTORS:
            self._actors.popitem(last=False)

    def _recent(self, actor_id: str, now: datetime) -> dict[tuple[str, str], datetime]:
        """Return what the actor did within the hour, and forget the rest."""
        changes = self._actors.get(actor_id, {})
        for key in [key for key, at in changes.items() if at <= now - RECENT]:
            del changes[key]
        return changes
