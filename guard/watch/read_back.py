"""Committed rows judged late: read from Dataverse, compared with the last known good copy.

Used when a delivery can't be decided from itself, and by reconciliation. What is read is what was
committed, so every fact may be read too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from guard import consequences
from guard.case import FROM_EXAMINATION, Case, read_back_case
from guard.judge import Judge
from guard.ledger.entry import NO_EFFECTS, Effects, Recorded, Withdrawal
from guard.ledger.port import Ledger
from guard.ports.rows import Rows, StoredRow
from guard.receive.change import base_names
from guard.record import Conclusion, DecisionRecorder
from kernel.approvals import WithdrawalCause
from kernel.errors import GuardError
from kernel.log import get_logger
from kernel.tasks import Task
from kernel.workers import Done, TaskOutcome
from rules.model.change import Change, Value
from rules.model.decision import Decision

log = get_logger("guard")


def read_back_change(row: StoredRow, *, before: Mapping[str, Value], operation: str) -> Change:
    """Return the change that leads from the last known copy to the row as it is.

    A column that the copy doesn't know counts as unchanged; without a copy nothing does.
    """
    if before:
        before = {**row.columns, **before}
    return Change(
        table=row.table,
        operation=operation,
        record_id=row.record_id,
        before=before,
        after={**before, **row.columns},
        sent=frozenset(row.columns),
        request={"columns": base_names(row.columns), "mode": 1, "stage": 40, "depth": 1},
    )


class ReadBack:
    """Judges committed rows that no readable delivery told about."""

    def __init__(
        self,
        rows: Rows,
        ledger: Ledger,
        judge: Judge,
        decider: DecisionRecorder,
        *,
        deadline_seconds: float = 5.0,
    ) -> None:
        self._rows = rows
        self._ledger = ledger
        self._judge = judge
        self._decider = decider
        self._deadline_seconds = deadline_seconds

    async def examine(
        self, case: Case, *, refusal: Decision, cause: str, now: datetime
    ) -> Recorded:
        """Judge the committed row of a delivery that can't be decided from itself.

        When the row can't be read now, the refusal is recorded, approvals end, and a task goes on.
        """
        if not case.record_id:
            return await self._refused(case, refusal, cause, now, NO_EFFECTS)
        try:
            row = await asyncio.wait_for(
                self._rows.row(case.table, case.record_id), self._deadline_seconds
            )
        except (GuardError, TimeoutError) as error:
            log.warning("row_not_read", record_id=case.record_id, error=str(error))
            return await self._postponed(case, refusal, cause, now)
        if row is None:
            return await self._refused(case, refusal, cause, now, _gone(case))
        return await self.judge_row(case, row, now=now, unread=cause)

    async def judge_row(
        self, case: Case, row: StoredRow, *, now: datetime, **public: Any
    ) -> Recorded:
        """Judge a row as it is now against the last known good copy, and record the decision."""
        known = await self._ledger.mirrored(row.table, row.record_id)
        operation = case.operation or "update"
        before = known.columns if known is not None and operation == "update" else {}
        change = read_back_change(row, before=before, operation=operation)
        judged = await self._judge.judge(
            change, actor_id=case.initiating_user_id, is_synchronous=False, now=now
        )
        return await self._decider.judged(case, change, judged, now=now, read_back=True, **public)

    async def carry_out(self, task: Task) -> TaskOutcome:
        """Handle a task of kind `examine`: judge a row that could not be read before."""
        payload, now = task.payload, self._decider.now()
        row = await self._rows.row(payload["table"], payload["record_id"])
        if row is None:
            return Done("the row is gone")
        case = read_back_case(
            payload["table"],
            payload["record_id"],
            operation=payload["operation"],
            source=FROM_EXAMINATION,
            changed_at=row.modified_at or now,
            actor_id=payload["actor_id"],
        )
        recorded = await self.judge_row(case, row, now=now, examines=task.owner)
        return Done(f"judged by decision {recorded.id}")

    async def _postponed(
        self, case: Case, refusal: Decision, cause: str, now: datetime
    ) -> Recorded:
        if not self._decider.enforces:
            return await self._refused(case, refusal, cause, now, NO_EFFECTS)
        decision_id = self._decider.new_id(now)
        effects = consequences.of_unread(
            case.table,
            case.record_id,
            decision_id=decision_id,
            payload={
                "table": case.table,
                "record_id": case.record_id,
                "operation": case.operation,
                "actor_id": case.initiating_user_id,
            },
        )
        return await self._refused(case, refusal, cause, now, effects, decision_id)

    async def _refused(
        self,
        case: Case,
        refusal: Decision,
        cause: str,
        now: datetime,
        effects: Effects,
        decision_id: str | None = None,
    ) -> Recorded:
        return await self._decider.record(
            case, Conclusion(refusal, cause), now=now, effects=effects, decision_id=decision_id
        )


def _gone(case: Case) -> Effects:
    cause, reason = WithdrawalCause.ROW_GONE, "The row is no longer in Dataverse."
    if case.table == "mailbox":
        return Effects(withdrawals=(Withdrawal(cause, reason, record_id=case.record_id),))
    return Effects(withdrawals=(Withdrawal(cause, reason, owner_id=case.record_id),))
