"""Facts about where in the organisation somebody is: the business unit, and all above it, by name.

A user, a team and a queue have a business unit of their own. The units from one's own up to the
root are one list, so that a rule about a branch holds for all of it.

A queue's is `owningbusinessunit`, which the platform keeps and rights go by; its `businessunitid`
is anybody's to write who may edit the queue. Another owner moves it to the unit of that owner.
Source: the queue table of the Dataverse reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from guard.columns.compare import is_equal
from guard.columns.owner import Owner, owner_of
from guard.columns.table import QUEUE, SYSTEMUSER, OwnerType
from guard.facts.actor import FROM_DATAVERSE, FROM_DELIVERY, NO_SUCH_USER
from guard.facts.age import both
from guard.facts.fact_sheet import UNREADABLE_OWNER, Absence, FactSheet, Question
from guard.ports.rows import BusinessUnit, Rows
from kernel.errors import GuardError
from rules.model.change import Value

OWN, ALL = "businessUnit", "businessUnits"
UNIT_FACTS = frozenset({OWN, ALL})
COLUMN = "businessunitid.id"
QUEUES_COLUMN = "owningbusinessunit.id"
TEAM = "team"
NOT_CARRIED = "the delivery does not carry businessunitid; register it in the pre-image"
QUEUES_NOT_CARRIED = "the delivery does not carry owningbusinessunit; register it in the pre-image"
_MOST_LEVELS = 100


@dataclass(frozen=True, slots=True)
class BusinessUnitFacts:
    """Looks up the business units of an actor and of owners, in two waves at most."""

    rows: Rows

    async def of_actor(self, question: Question, sheet: FactSheet) -> None:
        """Look up the actor's: what it was before the edit, where the edit is of the own row."""
        root, actor_id, change = "actor.", question.actor_id, question.change
        if actor_id is None:
            _lack(sheet, root, "the delivery names no actor")
        elif change.table == SYSTEMUSER.name and change.record_id == actor_id and change.before:
            await self._of_columns(question, change.before, root, sheet)
        else:
            await self._of(SYSTEMUSER.name, actor_id, root, sheet)

    async def of_owner(self, question: Question, side: str, sheet: FactSheet) -> None:
        """Look up the owner's on one side of a change."""
        root, change = f"{side}.owner.", question.change
        columns = change.after if side == "new" else change.before
        owner = owner_of(change.table, change.record_id, columns) if columns else None
        if owner is None:
            if side == "old" and not columns:
                _know(sheet, root, (), FROM_DELIVERY)
            else:
                _lack(sheet, root, "the row names no owner")
        elif change.table == SYSTEMUSER.name:
            await self._of_columns(question, columns, root, sheet)
        elif change.table == QUEUE.name:
            await self._of_changed_queue(question, columns, root, sheet)
        elif question.is_synchronous and change.operation == "create":
            # What it belongs to may be made by the same transaction.
            _lack(sheet, root, UNREADABLE_OWNER, Absence.SAME_TRANSACTION)
        else:
            await self._of_mailbox_owner(owner, root, sheet)

    async def _of_mailbox_owner(self, owner: Owner, root: str, sheet: FactSheet) -> None:
        if owner.type is OwnerType.QUEUE:
            await self._of_stored_queue(owner.id, root, sheet)
        else:
            table = TEAM if owner.type is OwnerType.TEAM else SYSTEMUSER.name
            await self._of(table, owner.id, root, sheet)

    async def _of_changed_queue(
        self, question: Question, columns: Mapping[str, Value], root: str, sheet: FactSheet
    ) -> None:
        """Look up that of a queue whose own row is the one that is changed."""
        before, after = question.change.before, question.change.after
        if columns is after and _moves_to_its_owners(before, after):
            await self._of_owner_in(columns, root, sheet)
        elif (unit_id := _own_unit_of(columns)) is not None:
            await self._named(unit_id, root, FROM_DELIVERY, sheet)
        elif question.is_synchronous:
            _lack(sheet, root, QUEUES_NOT_CARRIED)
        else:
            await self._of_stored_queue(question.change.record_id, root, sheet)

    async def _of_stored_queue(self, queue_id: str, root: str, sheet: FactSheet) -> None:
        try:
            queue = await self.rows.row(QUEUE.name, queue_id)
        except GuardError as error:
            sheet.lack_answer([root + name for name in UNIT_FACTS], error)
            return
        unit_id = _own_unit_of(queue.columns) if queue is not None else None
        if queue is None:
            _lack(sheet, root, "Dataverse has no such queue")
        elif unit_id is None:
            _lack(sheet, root, "Dataverse does not say which business unit the queue is in")
        else:
            await self._named(unit_id, root, FROM_DATAVERSE, sheet)

    async def _of_owner_in(self, columns: Mapping[str, Value], root: str, sheet: FactSheet) -> None:
        """Look up those of the user or team in `ownerid`."""
        owner_id, table = columns.get("ownerid.id"), columns.get("ownerid.type")
        if not isinstance(owner_id, str) or not owner_id:
            _lack(sheet, root, "the row names no owner")
            return
        await self._of(TEAM if table == TEAM else SYSTEMUSER.name, owner_id, root, sheet)

    async def _of_columns(
        self, question: Question, columns: Mapping[str, Value], root: str, sheet: FactSheet
    ) -> None:
        """Tell those of a user whose own row is the one that is changed."""
        unit_id = columns.get(COLUMN)
        if isinstance(unit_id, str) and unit_id:
            await self._named(unit_id, root, FROM_DELIVERY, sheet)
        elif not question.is_synchronous:
            await self._of(SYSTEMUSER.name, question.change.record_id, root, sheet)
        elif question.change.operation == "create":
            _lack(sheet, root, UNREADABLE_OWNER, Absence.SAME_TRANSACTION)
        else:
            _lack(sheet, root, NOT_CARRIED)

    async def _of(self, table: str, record_id: str, root: str, sheet: FactSheet) -> None:
        try:
            # Both at once, because one wave is all that there is time for.
            unit_id, units = await both(
                self.rows.business_unit_of(table, record_id), self.rows.business_units()
            )
        except GuardError as error:
            sheet.lack_answer([root + name for name in UNIT_FACTS], error)
            return
        if unit_id is None:
            said = NO_SUCH_USER if table == SYSTEMUSER.name else f"Dataverse has no such {table}"
            _lack(sheet, root, said)
        else:
            _tell(sheet, root, chain_of(unit_id, units), FROM_DATAVERSE)

    async def _named(self, unit_id: str, root: str, source: str, sheet: FactSheet) -> None:
        try:
            units = await self.rows.business_units()
        except GuardError as error:
            sheet.lack_answer([root + name for name in UNIT_FACTS], error)
            return
        _tell(sheet, root, chain_of(unit_id, units), source)


def _own_unit_of(queue: Mapping[str, Value]) -> str | None:
    unit_id = queue.get(QUEUES_COLUMN)
    return unit_id if isinstance(unit_id, str) and unit_id else None


def _moves_to_its_owners(before: Mapping[str, Value], after: Mapping[str, Value]) -> bool:
    """Return whether a queue is in its owner's unit after a change that names no other."""
    if not is_equal(before.get(QUEUES_COLUMN), after.get(QUEUES_COLUMN)):
        return False
    return not is_equal(before.get("ownerid.id"), after.get("ownerid.id"))


def chain_of(unit_id: str, units: Mapping[str, BusinessUnit]) -> tuple[str, ...]:
    """Return the names from a unit up to the root; nothing when one of them is not known.

    A chain that lacks a part, or has no end, would let "is not of this branch" pass.
    """
    names: list[str] = []
    wanted: str | None = unit_id
    while wanted is not None:
        unit = units.get(wanted)
        if unit is None or len(names) >= _MOST_LEVELS:
            return ()
        names.append(unit.name)
        wanted = unit.parent_id
    return tuple(names)


def _tell(sheet: FactSheet, root: str, names: tuple[str, ...], source: str) -> None:
    if names:
        _know(sheet, root, names, source)
    else:
        _lack(sheet, root, "Dataverse does not say which business units are above it")


def _know(sheet: FactSheet, root: str, names: tuple[str, ...], source: str) -> None:
    sheet.know(root + OWN, names[0] if names else None, source)
    sheet.know(root + ALL, names, source)


def _lack(sheet: FactSheet, root: str, reason: str, absence: Absence = Absence.OTHER) -> None:
    for name in UNIT_FACTS:
        sheet.lack(root + name, reason, absence)
