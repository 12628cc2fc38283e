"""Recall: every approval rests until what it rests on was looked up again, and is then confirmed.

For whoever finds that the database is older than what is known elsewhere. Nothing is withdrawn by
it but what persons had withdrawn.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from sqlalchemy import Connection, func, select, update

from kernel.approvals import RecordAltered, held_of, refuse, withdraw_by_person
from kernel.failpoints import failpoint
from kernel.held_approval import APPROVED, Approval, WithdrawalCause, approvals

RECALLED = failpoint(
    "kernel.recalled", "All approvals rest: the database is older than what was known of it."
)
CONFIRMED = failpoint("kernel.confirmed", "Approvals whose evidence holds are confirmed.")

# When what was recalled was last looked up.
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


def recall(
    connection: Connection, *, withdrawn: Iterable[str], by: str, reason: str, now: datetime
) -> int:
    """Let every approval rest until its evidence was looked up again; return how many there are.

    `withdrawn` are the mailboxes that persons had withdrawn, as is known from elsewhere: that
    stands again, also where nothing is held of them.
    """
    for record_id in withdrawn:
        try:
            held = held_of(connection, record_id)
        except RecordAltered:
            # It opens nothing as it is, and must not keep the others from resting.
            continue
        if held is not None and held.is_withdrawn_by_person:
            continue
        if held is None:
            refuse(
                connection,
                record_id=record_id,
                address="",
                owner_id="",
                owner_type="",
                cause=WithdrawalCause.PERSON,
                reason=reason,
                now=now,
            )
        withdraw_by_person(connection, record_id=record_id, by=by, reason=reason, now=now)
    resting = update(approvals).where(approvals.c.state == APPROVED).values(looked_up_at=_NEVER)
    return connection.execute(resting).rowcount


def count_resting(connection: Connection) -> int:
    """Return how many approvals still rest after a recall."""
    resting = select(func.count()).where(
        approvals.c.state == APPROVED, approvals.c.looked_up_at == _NEVER
    )
    return connection.scalar(resting) or 0


def confirm(connection: Connection, looked_up: Iterable[Approval], *, now: datetime) -> None:
    """Remember that everything these rest on was looked up just now, and holds.

    One that was granted or withdrawn meanwhile stays as it is.
    """
    for one in looked_up:
        connection.execute(
            update(approvals)
            .where(
                approvals.c.record_id == one.record_id,
                approvals.c.epoch == one.epoch,
                approvals.c.evidence == one.evidence,
                approvals.c.state == APPROVED,
            )
            .values(looked_up_at=now)
        )
