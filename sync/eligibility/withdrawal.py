"""Withdrawing the approvals that Dataverse no longer backs, unless they are too many at once."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import Connection

from kernel import approvals, stops
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
    release=Release.GO_ON,
)


async def withdraw_unbacked(
    database: Database, found: Mapping[str, Eligibility], *, now: datetime
) -> list[str]:
    """Withdraw what is unbacked among all approved mailboxes; return their record ids.

    A brake withdraws nothing but what a person let go on, and returns nothing else: the others keep
    their status and rest, so that nobody reaches them, until a person has looked (law 8).
    """
    unbacked = {
        record_id: one
        for record_id, one in found.items()
        if one.status is EligibilityStatus.UNBACKED
    }
    stopped = await database.read(lambda c: stops.list_of(c, WITHDRAWALS.name, ""))
    released = {one.subject for one in stopped if one.released_at is not None}
    waiting = unbacked.keys() - released
    braked = WITHDRAWALS.check(len(waiting), len(found))
    ending = [one for record_id, one in unbacked.items() if braked is None or record_id in released]
    resting = [one for record_id, one in unbacked.items() if one not in ending]
    if braked is not None:
        log.error("withdrawals_braked", count=len(waiting), approved=len(found))
    done: list[str] = []
    if ending:
        done = await database.write(
            lambda c: _withdraw(c, ending, released, now=now), failpoint=WITHDRAW
        )
    await _let_rest(database, stopped, resting, found, now=now)
    for record_id in done:
        log.warning("approval_withdrawn", record_id=record_id, reason=found[record_id].reason)
    # One whose approval changed meanwhile is judged at the next review, not used before.
    return [one.approval.record_id for one in ending]


async def _let_rest(
    database: Database,
    stopped: Collection[stops.Stop],
    resting: Collection[Eligibility],
    found: Mapping[str, Eligibility],
    *,
    now: datetime,
) -> None:
    """Write down what waits for a person's word; what was decided about otherwise rests no more."""
    known = {one.subject for one in stopped}
    ids = {one.approval.record_id for one in resting}
    over = sorted(known.intersection(found) - ids)
    new = [
        stops.Stopped(one.approval.record_id, one.approval.record_id, one.reason)
        for one in resting
        if one.approval.record_id not in known
    ]
    if not new and not over:
        return

    def write(connection: Connection) -> None:
        stops.add(connection, WITHDRAWALS.name, "", new, now=now)
        stops.end(connection, WITHDRAWALS.name, "", over)

    await database.write(write, failpoint=stops.STOPPED)


def _withdraw(
    connection: Connection,
    ending: Collection[Eligibility],
    released: Collection[str],
    *,
    now: datetime,
) -> list[str]:
    done = []
    for one in ending:
        held = approvals.find(connection, one.approval.record_id)
        # A newer approval rests on a newer reading than ours.
        if held is not None and held.epoch == one.approval.epoch:
            is_released = held.record_id in released
            approvals.withdraw(
                connection,
                record_id=held.record_id,
                cause=WithdrawalCause.RELEASED if is_released else WithdrawalCause.UNBACKED,
                reason=one.reason,
                now=now,
            )
            done.append(held.record_id)
    return done
