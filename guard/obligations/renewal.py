"""Whether an approval is newer than a person's withdrawal (law 17). Pure.

A renewal is a transition to 1 that a person made after the withdrawal, shown by the row as the
guard read it: its last write is that person's own and came later. What a delivery says is not
enough: whoever holds the webhook key can say it.
"""

from __future__ import annotations

from datetime import datetime

from guard.columns.table import APPROVAL, APPROVED
from guard.ports.rows import StoredRow
from kernel.approvals import Approval, Renewal
from rules.model.change import Value


def renewal_from(
    row: StoredRow,
    *,
    withdrawn: Approval,
    before_approval: Value,
    actor_id: str | None,
    decided_at: datetime | None,
    asked_at: datetime,
) -> Renewal | None:
    """Return the renewal that the row on which it was decided shows; None when it shows none.

    `before_approval` is what the approval was before the decided change, `decided_at` when it was
    decided, None when that is not known. `asked_at` is when the row was asked for: withdrawn was
    by our clock, written by that of Dataverse.
    """
    if decided_at is None or decided_at <= withdrawn.changed_at:
        return None
    if before_approval == APPROVED or row.columns.get(APPROVAL) != APPROVED:
        return None
    if actor_id is None or row.modified_by != actor_id or row.on_behalf_by is not None:
        return None
    written_at = row.written_at(asked_at)
    if written_at is None or written_at <= withdrawn.changed_at:
        return None
    return Renewal(actor_id, written_at)
