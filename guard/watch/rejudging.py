"""How an approved mailbox stands by the policies that hold now: `scan` and the watch on evidence.

A row that can't be judged changes nothing, and neither do rules that read the actor: who approved a
row cannot be read off it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime

from guard.columns.owner import TABLES_OF_OWNERS
from guard.columns.table import MAILBOX, TABLES
from guard.judge import Judge
from guard.obligations.grant import why_not_granted
from guard.ports.rows import Rows, StoredRow
from kernel.approvals import Approval
from rules.engine.exceptions import is_current
from rules.engine.policy_set import PolicySet
from rules.engine.row import Judgement

GOOD = ("pass", "warn")
BAD = ("fail", "hold")


@dataclass(frozen=True, slots=True)
class NotJudged:
    """That a mailbox could not be judged, and by which rules."""

    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Basis:
    """What a judgement rests on beside the rows, whose changes are decided when they are made.

    Rules may read the day, and an exception may end within one.
    """

    policy_set: str
    day: date
    exceptions: frozenset[str]
    epoch: int


class Rejudging:
    """Judges approved mailboxes anew, each once for every policy set, day and end of an exception.

    What was found good is remembered in memory: after a restart each is judged once more.
    """

    def __init__(self, rows: Rows, judge: Judge) -> None:
        self._rows = rows
        self._judge = judge
        self._good: dict[str, _Basis] = {}

    def keep(self, record_ids: Collection[str]) -> None:
        """Forget every mailbox but these."""
        self._good = {one: basis for one, basis in self._good.items() if one in record_ids}

    async def reason(self, approval: Approval, *, now: datetime) -> str | NotJudged | None:
        """Return why a mailbox may no longer be approved, if so.

        Raises a GuardError when its rows can't be read. One that is gone is left to reconciliation.
        """
        basis = _basis(self._judge.policy_set, approval, now)
        if self._good.get(approval.record_id) == basis:
            return None
        row = await self._rows.row(MAILBOX.name, approval.record_id)
        if row is None:
            return None
        mailbox = await self._judged(row, now)
        owner = await self._judged_owner(approval, now) if mailbox.result in GOOD else None
        reason = objection_to(row, approval.address, mailbox, owner)
        if reason is not None:
            return reason
        for judgement in (mailbox, owner):
            if judgement is not None and judgement.result not in GOOD:
                return NotJudged(judgement.rules)
        self._good[approval.record_id] = basis
        return None

    async def _judged_owner(self, approval: Approval, now: datetime) -> Judgement | None:
        """Return how the row of the user or queue stands, if it has an address of its own."""
        table = TABLES_OF_OWNERS.get(approval.owner_type)
        if table is None:
            return None
        row = await self._rows.row(table.name, approval.owner_id)
        if row is None or not row.columns.get(table.address):
            return None
        return await self._judged(row, now)

    async def _judged(self, row: StoredRow, now: datetime) -> Judgement:
        judged = await self._judge.judge_row(row.table, row.record_id, row.columns, now=now)
        return judged.judgement


def objection_to(
    row: StoredRow, address: str, mailbox: Judgement, owner: Judgement | None = None
) -> str | None:
    """Return what speaks against a mailbox row with that address, or its owner's row, if anything.

    A row that can't be judged changes nothing.
    """
    if mailbox.result == "error":
        return None
    if mailbox.result in BAD:
        return f"The policies do not allow the address: {', '.join(mailbox.rules)}."
    if owner is not None and owner.result in BAD:
        return f"The policies do not allow the address of the owner: {', '.join(owner.rules)}."
    return why_not_granted(row, address)


def _basis(policy_set: PolicySet, approval: Approval, now: datetime) -> _Basis:
    exceptions = (
        one
        for table in TABLES
        for policy in policy_set.index.of_table(table).policies
        for one in policy.exceptions
    )
    current = frozenset(one.exception.name for one in exceptions if is_current(one.ends, now))
    return _Basis(policy_set.digest, now.date(), current, approval.epoch)
