"""Rows of which nothing is known good yet, judged as a scan does (law 16).

Nothing is decided, and nothing is written in Dataverse: what passes is known good from then on;
what fails is said, stays merely seen, and is judged again when the policies or the day change.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from guard import known_good
from guard.judge import Judge
from guard.ledger.entry import MirrorRow
from guard.ledger.port import Ledger
from guard.ports.rows import StoredRow
from guard.record import DecisionRecorder
from guard.watch.rejudging import GOOD
from guard.watch.unanswered import UnansweredLimit, ask_each
from kernel.log import get_logger

# A round judges so many: a large fleet takes several.
MOST_JUDGED = 1000
Keep = Callable[[MirrorRow], Awaitable[None]]
log = get_logger("guard")


class WithoutPast:
    """Collects such rows over a round and judges them at its end; `keep` keeps a copy."""

    def __init__(
        self, ledger: Ledger, judge: Judge, recorder: DecisionRecorder, keep: Keep
    ) -> None:
        self._ledger = ledger
        self._judge = judge
        self._recorder = recorder
        self._keep = keep
        self._rows: list[StoredRow] = []
        # By row: the policies and the day under which it was found failing.
        self._failing: dict[tuple[str, str], str] = {}
        self._basis = ""

    def begin(self) -> None:
        """Begin a round."""
        self._rows = []
        self._basis = f"{self._judge.policy_set.digest} {self._recorder.now().date()}"

    def add(self, row: StoredRow) -> None:
        """Add a row unless it is known to fail, or the round has enough to do."""
        known = self._failing.get((row.table, row.record_id))
        if len(self._rows) < MOST_JUDGED and known != self._basis:
            self._rows.append(row)

    async def judge(self) -> int:
        """Judge what was collected and return how many fail that were not known to."""
        limit = UnansweredLimit()

        async def one(row: StoredRow) -> bool:
            return limit.ended is None and await self._fails(row, limit)

        return sum(await ask_each(self._rows, one))

    async def _fails(self, row: StoredRow, limit: UnansweredLimit) -> bool:
        copy = await self._ledger.mirrored(row.table, row.record_id)
        if copy is None or known_good.differs(row, copy):
            return False
        now, key = self._recorder.now(), (row.table, row.record_id)
        judged = await self._judge.judge_row(row.table, row.record_id, row.columns, now=now)
        judgement = judged.judgement
        if judged.unanswered is not None:
            # Nobody could say: the next round asks again.
            limit.unanswered(judged.unanswered)
            return False
        limit.answered()
        if judgement.result in GOOD:
            self._failing.pop(key, None)
            await self._keep(known_good.scanned(copy))
            return False
        self._failing[key] = self._basis
        log.warning(
            "row_fails",
            table=row.table,
            record_id=row.record_id,
            result=judgement.result,
            rules=list(judgement.rules),
        )
        return True
