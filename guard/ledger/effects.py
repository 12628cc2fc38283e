"""What a decision causes, carried into the same transaction as the decision."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, select

from guard.ledger import holds, mirror
from guard.ledger.entry import Effects, Withdrawal
from kernel import approvals, tasks
from kernel.approvals import Approval
from rules.operators.fields import fold


def carry(connection: Connection, decision_id: str, effects: Effects, *, now: datetime) -> None:
    """Withdraw approvals, remember the row, park or settle what is held, add the tasks.

    Raises HoldTaken when a hold is no longer as the decision took it to be; nothing is then kept.
    """
    for withdrawal in effects.withdrawals:
        withdraw(connection, withdrawal, now=now)
    if effects.mirror is not None:
        mirror.keep(connection, effects.mirror)
    if effects.parked is not None:
        holds.park(connection, effects.parked, decision_id, now=now)
    if effects.released is not None:
        holds.release(connection, effects.released, decision_id, now=now)
    if effects.settled is not None:
        holds.settle(connection, effects.settled, decision_id, now=now)
    for task in effects.tasks:
        tasks.add(
            connection,
            kind=task.kind,
            key=task.key,
            payload=dict(task.payload),
            owner=decision_id,
            place=task.place,
            now=now,
        )


def withdraw(connection: Connection, withdrawal: Withdrawal, *, now: datetime) -> int:
    """Withdraw the approvals that a withdrawal means; return how many ended."""
    ended = 0
    for held in _held(connection, withdrawal):
        if held.state != approvals.APPROVED or _is_kept(held, withdrawal):
            continue
        approvals.withdraw(
            connection,
            record_id=held.record_id,
            cause=withdrawal.cause,
            reason=withdrawal.reason,
            now=now,
        )
        ended += 1
    return ended


def _held(connection: Connection, withdrawal: Withdrawal) -> Iterable[Approval]:
    if withdrawal.record_id is not None:
        held = approvals.find(connection, withdrawal.record_id)
        return () if held is None else (held,)
    rows = connection.execute(
        select(approvals.approvals.c.record_id).where(
            approvals.approvals.c.owner_id == withdrawal.owner_id,
            approvals.approvals.c.state == approvals.APPROVED,
        )
    )
    found = (approvals.find(connection, row.record_id) for row in rows.all())
    return [held for held in found if held is not None]


def _is_kept(held: Approval, withdrawal: Withdrawal) -> bool:
    if withdrawal.unless_address is None:
        return False
    same_owner = withdrawal.unless_owner is None or held.owner_id == withdrawal.unless_owner
    return same_owner and fold(held.address) == fold(withdrawal.unless_address)
