"""What a review changes in the states that people see of the mailboxes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import Connection

from kernel import approvals
from kernel.approvals import Approval
from kernel.database import Database
from sync.eligibility.eligibility import Eligibility, EligibilityStatus
from sync.failpoints import ELIGIBILITY
from sync.store import mailboxes, payloads
from sync.store.mailboxes import MailboxState
from sync.store.tables import SyncState

# A mailbox that leaves one of these states waits for its next visit.
_LEAVABLE = (SyncState.MICROSOFT_SYNC, SyncState.WITHDRAWN, SyncState.PAUSED)


async def write_states(
    database: Database,
    found: Mapping[str, Eligibility],
    gone: Collection[Approval],
    states: Mapping[str, MailboxState],
    *,
    now: datetime,
) -> dict[str, MailboxState]:
    """Write the states that changed, and return all of them as they are then.

    `found` are the approved mailboxes, `gone` those that are no longer approved, `states` what was
    known before; all by record id. What is unchanged writes nothing (law 10).
    """
    changes: dict[str, tuple[SyncState, str]] = {}
    for record_id, one in found.items():
        current = states.get(record_id)
        wanted = _wanted_state(one, current)
        if current is None or wanted != (current.state, current.reason):
            changes[record_id] = wanted
    gone_ids = [one.record_id for one in gone]
    current_approvals = await database.read(
        lambda c: {one: approvals.find(c, one) for one in gone_ids}
    )
    left: list[str] = []
    for record_id, approval in current_approvals.items():
        current = states.get(record_id)
        reason = approval.reason if approval is not None else ""
        if approval is not None and approval.state == approvals.APPROVED:
            reason = "The approval has ended." if not approval.is_approved(now) else ""
        if current is None or (current.state, current.reason) != (SyncState.WITHDRAWN, reason):
            changes[record_id] = (SyncState.WITHDRAWN, reason)
            if approval is not None:
                left.append(approval.object_id)
    if not changes:
        return dict(states)
    await database.write(lambda c: _save_states(c, changes, left, now=now), failpoint=ELIGIBILITY)
    return await database.read(mailboxes.list_all)


def _wanted_state(found: Eligibility, current: MailboxState | None) -> tuple[SyncState, str]:
    match found.status:
        case EligibilityStatus.MICROSOFT_SYNC:
            return SyncState.MICROSOFT_SYNC, found.reason
        case EligibilityStatus.UNKNOWN:
            return SyncState.FAILING, found.reason
        case EligibilityStatus.UNBACKED:
            # Only a brake lets one stay so: whatever else is unbacked was withdrawn.
            reason = f"Too many withdrawals at once, a person must look: {found.reason}"
            return SyncState.BRAKE, reason
        case EligibilityStatus.PAUSED | EligibilityStatus.ELIGIBLE:
            if current is None or (found.is_eligible and current.state in _LEAVABLE):
                return SyncState.WAITING, ""
            return current.state, current.reason


def _save_states(
    connection: Connection,
    changes: Mapping[str, tuple[SyncState, str]],
    left: Collection[str],
    *,
    now: datetime,
) -> None:
    for record_id, (state, reason) in changes.items():
        mailboxes.set_state(connection, record_id, state=state, reason=reason, now=now)
    # Nothing of a mailbox is kept for its tasks once it is no longer approved.
    for object_id in left:
        payloads.forget_mailbox(connection, object_id)
