"""What an approval rests on is looked up again before it is older than allowed, by whoever runs.

The port is what looks it up; whoever wires a process gives it. What no longer holds is withdrawn by
it, what holds is confirmed by it, and what nobody answers stays as old as it is: the permit then
lets nothing pass (`kernel.approvals.permit`).
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Protocol

from kernel import approvals, recall
from kernel.approvals import Approval
from kernel.clock import Clock
from kernel.database import Database
from kernel.errors import GuardError
from kernel.log import get_logger

# Evidence is looked up again well before it is too old to be used.
RENEW_SHARE = 1 / 2

log = get_logger("sync")


class Evidence(Protocol):
    """Where the evidence of approvals is looked up."""

    async def look_up(self, approval: Approval) -> None:
        """Look up everything that the approval rests on, and write down what came of it.

        No answer changes nothing. Raises a GuardError when it can't even be written.
        """
        ...


class EvidenceAge:
    """Keeps the evidence of the mailboxes that are visited young enough."""

    def __init__(
        self, database: Database, clock: Clock, evidence: Evidence, *, max_age_seconds: float
    ) -> None:
        self._database = database
        self._clock = clock
        self._evidence = evidence
        self.max_age = timedelta(seconds=max_age_seconds)

    async def renew(self, approval: Approval) -> None:
        """Have the evidence looked up again when it is getting old.

        Whether the mailbox may be reached then is the permit's to say.
        """
        if not self._is_old(approval):
            return
        # What was read with the rows may be older than what another process found since.
        held = await self._database.read(lambda c: approvals.find(c, approval.record_id))
        if held is None or held.epoch != approval.epoch or not self._is_old(held):
            return
        try:
            await self._evidence.look_up(held)
        except GuardError as error:
            log.warning(
                "evidence_not_looked_up", record_id=held.record_id, error_code=error.code,
                error=error.message,
            )  # fmt: skip

    def _is_old(self, approval: Approval) -> bool:
        return approval.evidence_age(self._clock.now()) > self.max_age * RENEW_SHARE


class MemoryEvidence:
    """Evidence that always holds, unless it `is_down`; `asked` counts by mailbox."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self.is_down = False
        self.asked: Counter[str] = Counter()

    async def look_up(self, approval: Approval) -> None:
        """Confirm the approval."""
        self.asked[approval.record_id] += 1
        if self.is_down:
            return
        now = self._clock.now()
        await self._database.write(
            lambda c: recall.confirm(c, [approval], now=now), failpoint=recall.CONFIRMED
        )
