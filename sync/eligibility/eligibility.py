"""Whether an approved mailbox may be synced by us now: the thinking, without any I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from kernel.approvals import Approval
from sync.crm.port import ACTIVE, APPROVED, SERVER_SIDE_SYNC, MailboxRow

PROFILE_ACTIVE = "Server-side synchronization owns incoming mail: its server profile is active."
PROFILE_UNREADABLE = (
    "Server-side synchronization may own incoming mail: its server profile could not be read. "
    "Give the app's user the right to read email server profiles."
)


class Ground(StrEnum):
    """On which ground a mailbox stands."""

    OURS = "ours"
    MICROSOFT_SYNC = "microsoft-sync"
    UNKNOWN = "unknown"
    PAUSED = "paused"
    UNBACKED = "unbacked"


@dataclass(frozen=True, slots=True)
class Eligibility:
    """One approved mailbox, and whether it is ours to sync."""

    approval: Approval
    ground: Ground
    reason: str = ""


def doubt_about(approval: Approval, row: MailboxRow | None) -> str | None:
    """Return why Dataverse no longer backs an approval, or None while it does.

    A state column that did not come counts as active; an approval that did not come is none.
    """
    if row is None:
        return "Dataverse holds no such mailbox."
    if row.approval != APPROVED:
        return f"Dataverse does not hold the mailbox approved (it says {row.approval})."
    if row.state is not None and row.state != ACTIVE:
        return "The mailbox is inactive in Dataverse."
    if (row.address or "").strip().casefold() != approval.address.strip().casefold():
        return "The mailbox has another address in Dataverse than the one that was approved."
    return None


def ground_of(row: MailboxRow, active_profiles: frozenset[str] | None) -> tuple[Ground, str]:
    """Return who works on the mailbox's incoming mail, and why: one engine each.

    `active_profiles` is None when they could not be read; then a profile may be active, and nobody
    knows whose the mailbox is.
    """
    if row.incoming_delivery != SERVER_SIDE_SYNC or row.profile_id is None:
        return Ground.OURS, ""
    if active_profiles is None:
        return Ground.UNKNOWN, PROFILE_UNREADABLE
    if row.profile_id.casefold() in active_profiles:
        return Ground.MICROSOFT_SYNC, PROFILE_ACTIVE
    return Ground.OURS, ""


def eligibility_of(
    approval: Approval,
    rows: Mapping[str, MailboxRow],
    active_profiles: frozenset[str] | None,
    *,
    is_paused: bool = False,
) -> Eligibility:
    """Return the standing of an approved mailbox; `rows` by lower-case record id."""
    row = rows.get(approval.record_id.casefold())
    doubt = doubt_about(approval, row)
    if doubt is not None or row is None:
        return Eligibility(approval, Ground.UNBACKED, doubt or "")
    if is_paused:
        return Eligibility(approval, Ground.PAUSED)
    ground, reason = ground_of(row, active_profiles)
    return Eligibility(approval, ground, reason)
