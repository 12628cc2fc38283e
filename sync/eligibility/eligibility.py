"""Whether an approved mailbox may be synced by us now: the thinking, without any I/O."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

from kernel.approvals import Approval
from sync.eligibility.port import ACTIVE, APPROVED, MailboxRow
from sync.model.delivery_method import DeliveryMethod

_WORDS = {
    DeliveryMethod.INCOMING: "incoming mail",
    DeliveryMethod.OUTGOING: "outgoing mail",
    DeliveryMethod.ACT: "appointments, contacts and tasks",
}


class EligibilityStatus(StrEnum):
    """What stands in the way of an approved mailbox, if anything does."""

    ELIGIBLE = "eligible"
    """Nothing: at least one workload is ours to sync."""
    MICROSOFT_SYNC = "microsoft-sync"
    """Microsoft's service syncs whatever we could."""
    UNKNOWN = "unknown"
    """Whose the mailbox is could not be learnt, so it is not reached."""
    PAUSED = "paused"
    """A person lets it rest."""
    UNBACKED = "unbacked"
    """Dataverse no longer backs the approval, which has to be withdrawn."""


@dataclass(frozen=True, slots=True)
class Eligibility:
    """One approved mailbox and what may be synced of it: `deliveries`, none unless eligible."""

    approval: Approval
    status: EligibilityStatus
    reason: str = ""
    deliveries: frozenset[DeliveryMethod] = frozenset()

    @property
    def is_eligible(self) -> bool:
        """Whether any workload of the mailbox is ours to sync."""
        return self.status is EligibilityStatus.ELIGIBLE


def doubt_about(approval: Approval, row: MailboxRow | None) -> str | None:
    """Return why Dataverse no longer backs an approval, or None while it does.

    A state column that did not come counts as active; an approval that did not come is none, and
    neither is an owner.
    """
    if row is None:
        return "Dataverse holds no such mailbox."
    if row.approval != APPROVED:
        return f"Dataverse does not hold the mailbox approved (it says {row.approval})."
    if row.state is not None and row.state != ACTIVE:
        return "The mailbox is inactive in Dataverse."
    if (row.address or "").strip().casefold() != approval.address.strip().casefold():
        return "The mailbox has another address in Dataverse than the one that was approved."
    if (row.owner_id or "").casefold() != approval.owner_id.casefold():
        return "The mailbox has another owner in Dataverse than the one it was approved for."
    return None


def status_of(
    row: MailboxRow, delivery: DeliveryMethod, active_profiles: frozenset[str] | None
) -> tuple[EligibilityStatus, str]:
    """Return whether that part of the mailbox is ours, and why not: one engine each.

    `active_profiles` is None when they could not be read; then a profile may be active, and nobody
    knows whose the mailbox is.
    """
    if row.profile_id is None or not row.names_server_side_sync(delivery):
        return EligibilityStatus.ELIGIBLE, ""
    what = _WORDS[delivery]
    if active_profiles is None:
        return EligibilityStatus.UNKNOWN, (
            f"Server-side synchronization may own {what}: its server profile could not be read. "
            "Give the app's user the right to read email server profiles."
        )
    if row.profile_id.casefold() in active_profiles:
        return EligibilityStatus.MICROSOFT_SYNC, (
            f"Server-side synchronization owns {what}: its server profile is active."
        )
    return EligibilityStatus.ELIGIBLE, ""


def eligibility_of(
    approval: Approval,
    rows: Mapping[str, MailboxRow],
    active_profiles: frozenset[str] | None,
    *,
    deliveries: Collection[DeliveryMethod],
    is_paused: bool = False,
) -> Eligibility:
    """Return what may be synced of an approved mailbox; `rows` by lower-case record id.

    `deliveries` are those of the workloads that this installation syncs. One that is Microsoft's
    leaves the others ours.
    """
    row = rows.get(approval.record_id.casefold())
    doubt = doubt_about(approval, row)
    if doubt is not None or row is None:
        return Eligibility(approval, EligibilityStatus.UNBACKED, doubt or "")
    if is_paused:
        return Eligibility(approval, EligibilityStatus.PAUSED)
    found = {one: status_of(row, one, active_profiles) for one in sorted(deliveries)}
    ours = {one for one, (status, _) in found.items() if status is EligibilityStatus.ELIGIBLE}
    if ours or not found:
        return Eligibility(approval, EligibilityStatus.ELIGIBLE, deliveries=frozenset(ours))
    # What a person can mend is told before what is as it should be.
    unknown = [one for one in found.values() if one[0] is EligibilityStatus.UNKNOWN]
    status, reason = (unknown or list(found.values()))[0]
    return Eligibility(approval, status, reason)
