"""Committed rows judged without a delivery: read from Dataverse, compared with the known copy.

Used when a delivery can't be decided from itself, by the obligation `examine`, and by the
reconciliation. What is read is what was committed, so every fact may be read too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from guard import consequences
from guard.case import Case
from guard.columns.change import GuardedChange
from guard.judge import Judge
from guard.ledger.entry import NO_EFFECTS, Recorded
from guard.ledger.port import Ledger
from guard.ports.rows import Rows, StoredRow
from guard.receive.change import base_names
from guard.record import Conclusion, DecisionRecorder
from kernel.errors import GuardError
from kernel.log import get_logger
from rules.model.change import Change, Value
from rules.model.decision import Decision

log = get_logger("guard")


def read_back_change(
    row: StoredRow, *, before: Mapping[str, Value], operation: str
) -> GuardedChange:
    """Return the change that leads from the last known copy to the row as it is.

    A column that the copy doesn't know counts as unchanged; without a copy nothing does.
    """
    if before:
        before = {**row.columns, **before}
    return GuardedChange(
        Change(
            table=row.table,
            operation=operation,
            record_id=row.record_id,
            before=before,
            after={**before, **row.columns},
            sent=frozenset(row.columns),
            request={"columns": base_names(row.columns), "mode": 1, "stage": 40, "depth": 1},
        )
    )


class ReadBack:
    """Judges committed rows that no readable delivery told about.

    `deadline_seconds` is how long the answer to a delivery may wait for its row.
    """

    def __init__(
        self,
        rows: Rows,
        ledger: Ledger,
        judge: Judge,
        recorder: DecisionRecorder,
        *,
        deadline_seconds: float = 5.0,
    ) -> None:
        self._rows = rows
        self._ledger = ledger
        self._judge = judge
        self._recorder = recorder
        self._deadline_seconds = deadline_seconds

    async def examine(
        self, case: Case, *, refusal: Decision, cause: str, now: datetime
    ) -> Recorded:
        """Judge the committed row of a delivery that can't be decided from itself.

        When the row can't be read now, the refusal is recorded, approvals end, and an obligation
        goes on. Raises Unavailable when the decision could not be recorded.
        """
        conclusion = Conclusion(refusal, cause)
        if not case.record_id:
            return await self._recorder.record(case, conclusion, now=now, effects=NO_EFFECTS)
        try:
            row = await asyncio.wait_for(
                self._rows.row(case.table, case.record_id), self._deadline_seconds
            )
        except (GuardError, TimeoutError) as error:
            log.warning("row_not_read", record_id=case.record_id, error=str(error))
            return await self._recorder.unread(case, conclusion, now=now)
        if row is None:
            gone = consequences.of_gone(case.table, case.record_id)
            return await self._recorder.record(case, conclusion, now=now, effects=gone)
        return await self.judge_row(case, row, now=now, unread=cause)

    async def judge_row(
        self, case: Case, row: StoredRow, *, now: datetime, **public: Any
    ) -> Recorded:
        """Judge a row as it is now against the last known good copy, and record the decision.

        `public` is added to the public part of its record.
        """
        known = await self._ledger.mirrored(row.table, row.record_id)
        operation = case.operation or "update"
        before = known.columns if known is not None and operation == "update" else {}
        change = read_back_change(row, before=before, operation=operation)
        judged = await self._judge.judge(
            change, actor_id=case.initiating_user_id, is_synchronous=False, now=now
        )
        return await self._recorder.judged(case, judged, now=now, read_back=True, **public)
