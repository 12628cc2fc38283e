"""Facts about an address that the guard knows by itself: who has it, who had it, who set it.

The rows come from the mirror, what was before from the decisions on the row. Neither is asked of
Dataverse, where the row is being written. Entra says which addresses are of one and the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from guard.columns.compare import address_of, is_equal
from guard.columns.owner import owner_of
from guard.columns.table import TABLES
from guard.facts.fact_sheet import FactSheet, Question
from guard.facts.holders import users_holding
from guard.facts.owner import FROM_MIRROR
from guard.ledger.entry import MirrorRow, Recorded
from guard.ledger.port import ALLOWED, Ledger
from guard.ports.directory import Directory
from guard.receive.delivery import ASYNCHRONOUS
from kernel.clock import Clock
from kernel.errors import GuardError
from rules.model.change import Change, Value
from rules.operators.fields import fold

ROOT = "facts."
FROM_LEDGER = "ledger"
HOLDER_FACTS = frozenset({"addressElsewhere", "formerHolderLeft"})
PAST_FACTS = frozenset({"addressChangedBy", "addressChangedOn", "formerAddresses"})
REMEMBERED = timedelta(days=365)
NOT_ALL_SEEN = "not every row of Dataverse has been seen yet"


@dataclass(frozen=True, slots=True)
class HistoryFacts:
    """Looks up what the guard itself remembers of addresses."""

    ledger: Ledger
    directory: Directory
    clock: Clock

    async def holders(self, question: Question, sheet: FactSheet) -> None:
        """Learn which other rows have an address of the same holder, in two look-ups."""
        change = question.change
        address = address_of(change.table, change.after)
        rows: Sequence[MirrorRow] | None = ()
        if address is not None:
            try:
                # Another alias of the same person is the same mailbox.
                holders = await users_holding(address, self.directory)
                same = (address, *(fold(one) for who in holders.whose for one in who.addresses))
                rows = await self.ledger.holders_of(*dict.fromkeys(same))
            except GuardError as error:
                sheet.lack_answer([ROOT + name for name in HOLDER_FACTS], error)
                return
        if rows is None:
            for name in HOLDER_FACTS:
                sheet.lack(ROOT + name, NOT_ALL_SEEN)
            return
        own = _whose(change.table, change.record_id, change.after)
        others = [row for row in rows if _whose(row.table, row.record_id, row.columns) != own]
        elsewhere = {_whose(row.table, row.record_id, row.columns) for row in others}
        has_left = any(row.columns.get("isdisabled") is True for row in others)
        sheet.know(ROOT + "addressElsewhere", len(elsewhere), FROM_MIRROR)
        sheet.know(ROOT + "formerHolderLeft", has_left, FROM_MIRROR)

    async def past(self, question: Question, sheet: FactSheet) -> None:
        """Learn which addresses the row had, and who set the last one, in one look-up."""
        change = question.change
        decisions: Sequence[Recorded] = ()
        if change.operation != "create":
            since = self.clock.now() - REMEMBERED
            try:
                decisions = await self.ledger.decisions_on(change.record_id, since=since)
            except GuardError as error:
                sheet.lack_answer([ROOT + name for name in PAST_FACTS], error)
                return
        changes = list(_changes_of_address(change, decisions))
        by, on = (changes[0][1], changes[0][2]) if changes else (None, None)
        before = dict.fromkeys(address for address, _, _ in changes if address)
        sheet.know(ROOT + "addressChangedBy", by, FROM_LEDGER)
        sheet.know(ROOT + "addressChangedOn", on, FROM_LEDGER)
        sheet.know(ROOT + "formerAddresses", tuple(before), FROM_LEDGER)


def _whose(table: str, record_id: str, columns: Mapping[str, Value]) -> str:
    """Return what rows that belong together have in common: the user or queue whose they are."""
    owner = owner_of(table, record_id, columns)
    return owner.id if owner is not None else record_id


def _changes_of_address(
    change: Change, decisions: Iterable[Recorded]
) -> Iterator[tuple[str | None, Value, Value]]:
    """Yield each committed change of the row's address: the one before, who made it, when."""
    column = TABLES[change.table].address
    for one in decisions:
        if one.decision not in ALLOWED or one.public.get("mode") != ASYNCHRONOUS:
            continue
        before = one.before.get(column)
        if not is_equal(before, one.after.get(column)):
            actor = one.public.get("attributed_to") or one.public.get("initiating_user_id")
            yield before if isinstance(before, str) else None, actor, one.decided_at
