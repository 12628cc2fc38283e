"""What follows from a decision on a committed change: tasks, withdrawals, the mirror. Pure.

A payload may take away, only a read may give: withdrawals happen with the decision, a grant is a
task that reads the row back first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from guard.case import Case
from guard.columns import ACTIVE, APPROVAL, APPROVED, TABLES
from guard.ledger.entry import NO_EFFECTS, Effects, MirrorRow, NewTask, Withdrawal
from guard.ledger.mirror import differing, guarded_part
from kernel.approvals import WithdrawalCause
from kernel.shards import shard_of
from rules.model.change import Change, Value
from rules.model.decision import Outcome

GRANT = "grant"
REVERT = "revert"
EXAMINE = "examine"
KINDS = (EXAMINE, GRANT, REVERT)

CHANGE = WithdrawalCause.CHANGE


def of_allowed(
    case: Case, change: Change, *, decision_id: str, grants: bool, changed_at: Any
) -> Effects:
    """Return what an allowed, committed change causes; `grants` is off where nothing is granted."""
    table = TABLES[change.table]
    altered = differing(change.table, change.before, change.after)
    is_sensitive = bool(table.sensitive.intersection(altered)) or "isdisabled" in altered
    tasks: tuple[NewTask, ...] = ()
    withdrawals: tuple[Withdrawal, ...] = ()
    forbidden = why_not_approved(change.table, change.after)
    if forbidden is not None:
        withdrawals = (_withdrawal(change, forbidden),)
    elif is_sensitive or "statecode" in altered:
        withdrawals = (_withdrawal(change, "The evidence of the approval has changed.", keep=True),)
        if grants and change.after.get(APPROVAL) == APPROVED:
            tasks = (_grant(change, case, decision_id),)
    row = MirrorRow(
        change.table, change.record_id, change.after, changed_at, decision_id, only=altered
    )
    return Effects(tasks, withdrawals, row)


def of_refused(change: Change, outcome: Outcome, *, decision_id: str, reverts: bool) -> Effects:
    """Return what a rejected or held, yet committed change causes."""
    if not change.record_id:
        return NO_EFFECTS
    verb = "waits for an approval" if outcome is Outcome.HOLD else "was rejected"
    withdrawal = _withdrawal(change, f"A change of the row {verb} (decision {decision_id}).")
    tasks = (_revert(change, outcome, decision_id),) if reverts else ()
    return Effects(tasks, (withdrawal,))


def of_unread(
    table: str, record_id: str, *, decision_id: str, payload: Mapping[str, Any]
) -> Effects:
    """Return what a committed change causes that could not be judged yet."""
    task = NewTask(EXAMINE, decision_id, dict(payload), shard_of(record_id))
    reason = f"A change of the row could not be judged yet (decision {decision_id})."
    if table == "mailbox":
        return Effects((task,), (Withdrawal(CHANGE, reason, record_id=record_id),))
    return Effects((task,), (Withdrawal(CHANGE, reason, owner_id=record_id),))


def why_not_approved(table: str, columns: Mapping[str, Value]) -> str | None:
    """Return why what is known of a row forbids an approval; an unknown column says nothing."""
    address = TABLES[table].address
    if columns.get("isdisabled") is True:
        return "The user is disabled in Dataverse."
    if columns.get("statecode") not in (None, ACTIVE):
        return f"The {table} row is inactive in Dataverse."
    if address in columns and not columns[address]:
        return f"The {table} row has no address any more."
    if APPROVAL in columns and columns[APPROVAL] != APPROVED:
        return "Dataverse no longer holds the address approved."
    return None


def _withdrawal(change: Change, reason: str, *, keep: bool = False) -> Withdrawal:
    """Return the withdrawal; with `keep`, what still is the same address and owner stays."""
    address = change.after.get(TABLES[change.table].address)
    kept = address if keep and isinstance(address, str) else None
    if change.table != "mailbox":
        moved = change.table == "systemuser" and _identity_moved(change)
        unless = None if moved else kept
        return Withdrawal(CHANGE, reason, owner_id=change.record_id, unless_address=unless)
    owner = change.after.get("regardingobjectid.id") or change.after.get("ownerid.id")
    return Withdrawal(
        CHANGE,
        reason,
        record_id=change.record_id,
        unless_address=kept,
        unless_owner=owner if isinstance(owner, str) else None,
    )


def _identity_moved(change: Change) -> bool:
    altered = differing(change.table, change.before, change.after)
    return bool({"domainname", "azureactivedirectoryobjectid", "applicationid"} & set(altered))


def _grant(change: Change, case: Case, decision_id: str) -> NewTask:
    return NewTask(
        GRANT,
        decision_id,
        {
            "table": change.table,
            "record_id": change.record_id,
            "address": change.after.get(TABLES[change.table].address),
            "actor_id": case.initiating_user_id,
            "decision_id": decision_id,
            "before_approval": change.before.get(APPROVAL),
        },
        shard_of(change.record_id),
    )


def _revert(change: Change, outcome: Outcome, decision_id: str) -> NewTask:
    return NewTask(
        REVERT,
        decision_id,
        {
            "table": change.table,
            "record_id": change.record_id,
            "operation": change.operation,
            "outcome": outcome.value,
            "before": guarded_part(change.table, change.before),
            "after": guarded_part(change.table, change.after),
            "altered": list(differing(change.table, change.before, change.after)),
        },
        shard_of(change.record_id),
    )
