"""What follows at once from a decision on a committed change: withdrawals. Pure.

A payload may take away, only a read may give: withdrawals happen with the decision. What needs more
than our own database is an obligation, a task that is carried out afterwards (`obligations`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from guard.case import Case
from guard.columns.change import GuardedChange
from guard.columns.owner import mailbox_owner_id
from guard.columns.table import ACTIVE, APPROVAL, APPROVED, TABLES, TableRole
from guard.ledger.entry import Effects, NewTask, Withdrawal
from kernel.approvals import WithdrawalCause
from rules.model.change import Value
from rules.model.decision import Outcome

ALLOWING = (Outcome.ALLOW, Outcome.WARN)
CHANGE = WithdrawalCause.CHANGE


@dataclass(frozen=True, slots=True)
class Committed:
    """A decision on a committed change, as an obligation looks at it to say whether it is owed.

    `change` is None when the row could not be read, so that nothing was judged; `outcome` is then
    that of the refusal which stands until it was. `attributed_to` is whose act an approval counts
    as that the platform made by itself. `releases` is the hold that an approver releases by the
    decision: then nothing is committed yet.
    """

    case: Case
    decision_id: str
    outcome: Outcome
    change: GuardedChange | None
    attributed_to: str | None = None
    releases: str | None = None

    @property
    def is_allowed(self) -> bool:
        """Return whether the decision lets the change stand."""
        return self.outcome in ALLOWING


@dataclass(frozen=True, slots=True)
class Refusal:
    """A decision that rejects or holds a change before its commit.

    Nothing may be done about the change, which is rolled back; whoever made it may be told.
    """

    case: Case
    decision_id: str
    outcome: Outcome
    attributed_to: str | None = None


OwedBy = Callable[[Committed | Refusal], tuple[NewTask, ...]]
"""What a decision owes; `obligations.table.owed_by` is the one that asks every obligation."""


def of_allowed(change: GuardedChange) -> Effects:
    """Return what an allowed change causes: stale evidence ends."""
    withdrawals: tuple[Withdrawal, ...] = ()
    forbidden = why_not_approved(change.change.table, change.change.after)
    if forbidden is not None:
        withdrawals = (_withdrawal(change, forbidden),)
    elif change.alters_evidence:
        # An approval of this very address and owner stays until it was read back and judged.
        reason = "The evidence of the approval has changed."
        if change.changes_identity:
            reason = "The owner's row names another identity. Approve the address anew."
        withdrawals = (_withdrawal(change, reason, keep=True),)
    return Effects(withdrawals=withdrawals)


def of_refused(change: GuardedChange, outcome: Outcome, *, decision_id: str) -> Effects:
    """Return what a rejected or held, yet committed change causes; the mirror keeps what was."""
    verb = "was held" if outcome is Outcome.HOLD else "was rejected"
    reason = f"A change of the row {verb} (decision {decision_id})."
    return Effects(withdrawals=(_withdrawal(change, reason),))


def of_unread(table: str, record_id: str, *, decision_id: str) -> Effects:
    """Return what a committed change causes that could not be judged yet."""
    reason = f"A change of the row could not be judged yet (decision {decision_id})."
    return Effects(withdrawals=(_withdrawal_of(table, record_id, CHANGE, reason),))


def of_gone(table: str, record_id: str) -> Effects:
    """Return what follows when a row is verifiably no longer in Dataverse."""
    cause, reason = WithdrawalCause.ROW_GONE, "The row is no longer in Dataverse."
    return Effects(withdrawals=(_withdrawal_of(table, record_id, cause, reason),))


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


def _withdrawal_of(
    table: str,
    record_id: str,
    cause: WithdrawalCause,
    reason: str,
    *,
    unless_address: str | None = None,
    unless_owner: str | None = None,
) -> Withdrawal:
    """Return the withdrawal of all approvals that hang on a row: its own, or those that it owns."""
    is_mailbox = TABLES[table].role is TableRole.MAILBOX
    return Withdrawal(
        cause,
        reason,
        record_id=record_id if is_mailbox else None,
        owner_id=None if is_mailbox else record_id,
        unless_address=unless_address,
        unless_owner=unless_owner,
    )


def _withdrawal(change: GuardedChange, reason: str, *, keep: bool = False) -> Withdrawal:
    """Return the withdrawal; with `keep`, what still is the same address and owner stays."""
    after = change.change.after
    address = after.get(change.table.address)
    # The same address held by another Entra object is another mailbox.
    kept = address if keep and isinstance(address, str) and not change.alters_identity else None
    owner = mailbox_owner_id(after) if change.table.role is TableRole.MAILBOX else None
    return _withdrawal_of(
        change.change.table,
        change.record_id,
        CHANGE,
        reason,
        unless_address=kept,
        unless_owner=owner,
    )
