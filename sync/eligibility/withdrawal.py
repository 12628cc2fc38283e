"""Withdrawing the approvals that Dataverse no longer backs, unless they are too many at once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection

from kernel import approvals
from kernel.approvals import WithdrawalCause
from kernel.brake import Release, brake
from kernel.database import Database
from kernel.log import get_logger
from sync.eligibility.eligibility import Eligibility, EligibilityStatus
from sync.failpoints import WITHDRAW

log = get_logger("sync")

WITHDRAWALS = brake(
    "sync.unbacked",
    counts="approvals that Dataverse no longer backs at one reading",
    total="approved mailboxes of the process's shards",
    release=Release.YES_WITHDRAW,
)


async def withdraw_unbacked(
    database: Database, found: Mapping[str, Eligibility], *, now: datetime
) -> list[str]:
    """Withdraw what is unbacked among all approved mailboxes; return their record ids.

    A brake withdraws nothing and returns nothing: then each keeps its status, which allows no
    access, until a person has looked (law 8).
    """
    unbacked = [one for one in found.values() if one.status is EligibilityStatus.UNBACKED]
    if not unbacked:
        return []
    if WITHDRAWALS.check(len(unbacked), len(found)) is not None:
        log.error("withdrawals_braked", count=len(unbacked), approved=len(found))
        return []
    done = await database.write(lambda c: _withdraw(c, unbacked, now=now), failpoint=WITHDRAW)
    for record_id in done:
        log.warning("approval_withdrawn", record_id=record_id, reason=found[record_id].reason)
    # One whose approval changed meanwhile is judged at the next review, not used before.
    return [one.approval.record_id for one in unbacked]


def _withdraw(connection: Connection, unbacked: list[Eligibility], *, now: datetime) -> list[str]:
    done = []
    for one in unbacked:
        held = approvals.find(connection, one.approval.record_id)
        # A newer approval rests on a newer reading than ours.
        if held is not None and held.epoch == one.approval.epoch:
            approvals.withdraw(
                connection,
                record_id=held.record_id,
                cause=WithdrawalCause.UNBACKED,
                reason=one.reason,
                now=now,
            )
            done.append(held.record_id)
    return done
