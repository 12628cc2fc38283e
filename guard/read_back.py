"""Committed rows judged without a delivery: read from Dataverse, compared with the known copy.

Used when a delivery can't be decided from itself, by the obligation `examine`, and by the
reconciliation. What is read is what was committed, so every fact may be read too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from guard import consequences, known_good
from guard.case import Case
from guard.columns.change import GuardedChange
from guard.columns.compare import is_equal
from guard.columns.table import TABLES
from guard.judge import Judge
from guard.ledger.entry import NO_EFFECTS, MirrorRow, Recorded
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
    row: StoredRow, copy: MirrorRow | None, *, operation: str, seen_counts: bool = False
) -> GuardedChange:
    """Return the change that leads from what is known good to the row as it is.

    What else the copy holds says nothing of what was before; with `seen_counts`, that it still
    holds it shows that it wasn't changed now. A column that the copy doesn't know counts as
    unchanged unless it gives access; without anything known nothing does.
    """
    good = copy.known_good if copy is not None and operation == "update" else {}
    unknown: frozenset[str] = frozenset()
    before: Mapping[str, Value] = {}
    if copy is not None and operation == "update":
        unknown = known_good.unknown_access(row, copy) | {
            name
            for name in TABLES[row.table].flat
            if name in copy.columns
            and name not in copy.good
            and not (seen_counts and is_equal(copy.columns[name], row.columns.get(name)))
        }
        types = {f"{name.removesuffix('.id')}.type" for name in unknown}
        kept = {n: v for n, v in row.columns.items() if n not in unknown and n not in types}
        before = {**kept, **good} if good or seen_counts else {}
    return GuardedChange(
        Change(
            table=row.table,
            operation=operation,
            record_id=row.record_id,
            before=before,
            after={**before, **row.columns},
            sent=frozenset(row.columns),
            request={"columns": base_names(row.columns), "mode": 1, "stage": 40, "depth": 1},
        ),
        unknown,
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
            # The copy first: whatever changes it meanwhile was read later than this.
            copy = await self._ledger.mirrored(case.table, case.record_id)
            row = await asyncio.wait_for(
                self._rows.row(case.table, case.record_id), self._deadline_seconds
            )
        except (GuardError, TimeoutError) as error:
            log.warning("row_not_read", record_id=case.record_id, error=str(error))
            return await self._recorder.unread(case, conclusion, now=now)
        if row is None:
            gone = consequences.of_gone(case.table, case.record_id)
            return await self._recorder.record(case, conclusion, now=now, effects=gone)
        return await self.judge_row(case, row, copy, now=now, unread=cause)

    async def judge_row(
        self, case: Case, row: StoredRow, copy: MirrorRow | None, *, now: datetime, **public: Any
    ) -> Recorded:
        """Judge a row against the copy that was known when it was read; record the decision.

        `public` is added to the public part of its record.
        """
        operation = case.operation or "update"
        if case.initiating_user_id is not None and case.on_behalf_by is None:
            # A delivery that lost its parts lost who acted in whose name too; the row has it.
            case = replace(case, on_behalf_by=row.on_behalf_by)
        change = read_back_change(row, copy, operation=operation)
        judged = await self._judge.judge(
            change,
            actor_id=case.initiating_user_id,
            on_behalf_by=case.on_behalf_by,
            is_synchronous=False,
            now=now,
        )
        names = change.altered if change.change.before else change.table.flat
        good = known_good.allowed(row, copy, row.columns, names, read_at=now)
        return await self._recorder.judged(
            case, judged, now=now, copy=good, read_back=True, **public
        )
