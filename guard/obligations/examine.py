"""The obligation `examine`: a committed row that could not be judged is read and judged."""

from __future__ import annotations

from dataclasses import dataclass

from guard.case import FROM_EXAMINATION, read_back_case
from guard.consequences import Committed
from guard.obligations.obligation import Obligation, Payload
from kernel.tasks import Task
from kernel.workers import Done, TaskOutcome


@dataclass(frozen=True, slots=True)
class ExaminePayload(Payload):
    """The row of the delivery; what it named of operation and people, None where it didn't."""

    operation: str | None
    actor_id: str | None
    on_behalf_by: str | None = None


class Examine(Obligation[ExaminePayload]):
    """Judges a committed row that could not be read when its delivery came."""

    kind = "examine"
    doc = "A committed row that could not be judged from its delivery is read and judged."
    payload = ExaminePayload

    @classmethod
    def owed_by(cls, committed: Committed) -> ExaminePayload | None:
        """It is owed when nothing was judged."""
        if committed.change is not None:
            return None
        case = committed.case
        return ExaminePayload(
            case.table, case.record_id, case.operation, case.initiating_user_id, case.on_behalf_by
        )

    async def carry_out(self, owed: ExaminePayload, task: Task) -> TaskOutcome:
        """Read the row and record a decision on it, which may owe something itself."""
        now = self._means.recorder.now()
        copy = await self._means.ledger.mirrored(owed.table, owed.record_id)
        row = await self._means.rows.row(owed.table, owed.record_id)
        if row is None:
            return Done("the row is gone")
        case = read_back_case(
            owed.table,
            owed.record_id,
            operation=owed.operation,
            source=FROM_EXAMINATION,
            actor_id=owed.actor_id,
            on_behalf_by=owed.on_behalf_by,
        )
        recorded = await self._means.read_back.judge_row(
            case, row, copy, now=now, examines=task.owner
        )
        return Done(f"judged by decision {recorded.id}")
