"""Whether what an approver agreed to is what is being done: pure.

A *pass* is for one edit: by the requester, with exactly the guarded values that were agreed to, in
time, once. The platform shows an edit of a mailbox on its user or queue as well, and the other way
round: there the same address and approval, by the same person and within moments, are the same
edit. What an agreement let happen *stands* while the row is as it was agreed to: whoever judges the
row anew, to grant its approval or to look whether it still may have it, counts it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from guard.columns.compare import is_equal, is_same
from guard.columns.owner import mailbox_owner_id
from guard.columns.table import APPROVAL, TABLES, TableRole
from guard.ledger.parked import Agreement, HeldChange, Settlement
from guard.own_writes import ADDRESS, alias_of
from rules.model.change import Value

# The platform ends a transaction after two minutes, and tells of it soon afterwards.
TRAVELS_WITHIN = timedelta(minutes=5)
_TRAVELLING = (ADDRESS, APPROVAL)


def pass_for(
    agreements: Iterable[Agreement], change: HeldChange, *, now: datetime
) -> Agreement | None:
    """Return the agreement by which a change is let through, as the act of its requester."""
    for one in agreements:
        is_pass = one.change.settlement is Settlement.PASS
        fits = is_same_held(one.change, change) or is_shown(one.change, change)
        if is_pass and fits and _is_usable(one, change, now=now):
            return one
    return None


def spends(agreement: Agreement) -> bool:
    """Return whether the change that it lets through uses it up, or only shows its use again."""
    return agreement.spent_at is None


def standing(
    agreements: Iterable[Agreement], table: str, record_id: str, columns: Mapping[str, Value]
) -> list[Agreement]:
    """Return the agreements that were used, and to which the row still answers."""
    return [one for one in agreements if one.spent_at is not None and _answers_to(
        one, table, record_id, columns
    )]  # fmt: skip


def is_same_held(agreed: HeldChange, change: HeldChange) -> bool:
    """Return whether a change alters the same to the same, all else of the row being equal.

    What the approval was before says nothing: a hold that was committed sets it back itself.
    """
    is_create = agreed.operation == "create"
    if (agreed.table, agreed.operation) != (change.table, change.operation):
        return False
    if not is_create and agreed.record_id != change.record_id:
        return False
    if set(agreed.altered) != set(change.altered):
        return False
    began = (name for name in agreed.altered if name != APPROVAL)
    return is_same(agreed.table, agreed.after, change.after) and all(
        is_equal(agreed.before.get(name), change.before.get(name)) for name in began
    )


def is_shown(agreed: HeldChange, change: HeldChange) -> bool:
    """Return whether a change shows the agreed address and approval on the row that shares them."""
    if change.operation != "update" or not change.altered:
        return False
    if any(alias_of(change.table, name) not in _TRAVELLING for name in change.altered):
        return False
    return _share(agreed, change.table, change.record_id, change.after) and all(
        is_equal(
            _value(change.table, change.after, alias), _value(agreed.table, agreed.after, alias)
        )
        for alias in _TRAVELLING
        if alias == ADDRESS or APPROVAL in change.altered
    )


def related_ids(table: str, record_id: str, columns: Mapping[str, Value]) -> list[str]:
    """Return the ids by which agreements on a row are found, as far as the row itself tells."""
    owner_id = mailbox_owner_id(columns) if _is_mailbox(table) else None
    return [one for one in (record_id, owner_id) if one]


def _is_usable(one: Agreement, change: HeldChange, *, now: datetime) -> bool:
    agreed = one.change
    if (agreed.requester_id, agreed.on_behalf_by) != (change.requester_id, change.on_behalf_by):
        return False
    if one.spent_at is None:
        return now < one.until
    # Used already, on the row that shares its address with this one: the same edit shows here.
    return one.spent_on != change.record_id and now - one.spent_at <= TRAVELS_WITHIN


def _answers_to(one: Agreement, table: str, record_id: str, columns: Mapping[str, Value]) -> bool:
    agreed = one.change
    address = _value(table, columns, ADDRESS)
    if not is_equal(address, _value(agreed.table, agreed.after, ADDRESS)):
        return False
    if agreed.table == table and record_id in (agreed.record_id, one.spent_on):
        # The approval comes and goes by itself where it is not what was agreed to.
        names = (TABLES[table].sensitive - {APPROVAL}) | set(agreed.altered)
        return all(is_equal(columns.get(name), agreed.after.get(name)) for name in names)
    return _share(agreed, table, record_id, columns)


def _share(agreed: HeldChange, table: str, record_id: str, columns: Mapping[str, Value]) -> bool:
    """Return whether one row is the mailbox of the other, a user or queue."""
    if _is_mailbox(agreed.table) == _is_mailbox(table):
        return False
    if _is_mailbox(table):
        return columns.get("regardingobjectid.id") == agreed.record_id
    return agreed.after.get("regardingobjectid.id") == record_id


def _value(table: str, columns: Mapping[str, Value], alias: str) -> Value:
    return columns.get(TABLES[table].address if alias == ADDRESS else alias)


def _is_mailbox(table: str) -> bool:
    return TABLES[table].role is TableRole.MAILBOX
