"""The obligation `withdraw`: a mailbox is no longer approved, for a reason that is kept."""

from __future__ import annotations

from guard.ledger.effects import withdraw
from guard.ledger.entry import Withdrawal
from kernel.clock import Clock
from kernel.database import Database
from kernel.failpoints import step
from kernel.work import Task
from kernel.workers import Done, Outcome

WITHDRAWN = step("guard.withdraw", "Approvals are withdrawn.")


WITHDRAW = "withdraw"


class Withdrawer:
    """Withdraws; anyone may."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def carry_out(self, task: Task) -> Outcome:
        """Handle a task of kind `withdraw`: `record_id` or `owner_id`, and `reason`."""
        payload, now = task.payload, self._clock.now()
        withdrawal = Withdrawal(
            payload["reason"],
            record_id=payload.get("record_id"),
            owner_id=payload.get("owner_id"),
        )
        ended = await self._database.write(
            lambda c: withdraw(c, withdrawal, now=now), step=WITHDRAWN
        )
        return Done(f"{ended} withdrawn")
