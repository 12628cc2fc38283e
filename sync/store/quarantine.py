"""The quarantine: items set aside with a reason, so that the cursor may pass them.

An item that could be read keeps its task, which tries again at long intervals: what was wrong may
have been on the other side. `retry` does not wait for that.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, delete, select, update

from kernel.approvals import approvals
from kernel.database import insert
from kernel.tasks import TaskState, tasks
from sync.store.tables import quarantine

MAX_REASON = 500

_ITEM = (quarantine.c.object_id == bindparam("object"), quarantine.c.item_id == bindparam("item"))
_LET_GO = delete(quarantine).where(*_ITEM)
_TIMES = select(quarantine.c.times).where(*_ITEM)


@dataclass(frozen=True, slots=True)
class Quarantined:
    """One item without a row, with the reason."""

    object_id: str
    item_id: str
    workload: str
    record_id: str
    reason: str
    first_at: datetime
    last_at: datetime
    times: int
    is_named: bool


def put(
    connection: Connection,
    *,
    record_id: str,
    object_id: str,
    workload: str,
    item_id: str,
    reason: str,
    now: datetime,
    is_named: bool = True,
) -> None:
    """Set an item aside, or say so once more; `is_named` unless its own id is not known."""
    reason = reason[:MAX_REASON]
    statement = insert(connection, quarantine).values(
        record_id=record_id,
        object_id=object_id,
        workload=workload,
        item_id=item_id,
        reason=reason,
        first_at=now,
        last_at=now,
        times=1,
        is_named=is_named,
    )
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["object_id", "item_id"],
            set_={"reason": reason, "last_at": now, "times": quarantine.c.times + 1},
        )
    )


def let_go(connection: Connection, object_id: str, item_id: str) -> None:
    """Forget that an item was set aside, because it has its row now."""
    connection.execute(_LET_GO, {"object": object_id, "item": item_id})


def forget_unnamed(connection: Connection, record_id: str) -> bool:
    """Forget what cannot be read by itself; return whether there was any.

    Only beside a new round, which sets it aside again if it is still as it was.
    """
    forgotten = connection.execute(
        delete(quarantine).where(quarantine.c.record_id == record_id, ~quarantine.c.is_named)
    )
    return forgotten.rowcount > 0


def times_of(connection: Connection, object_id: str, item_id: str) -> int:
    """Return how many times an item was set aside."""
    return connection.scalar(_TIMES, {"object": object_id, "item": item_id}) or 0


def any_for(connection: Connection, records: Collection[str]) -> bool:
    """Return whether anything is set aside of these mailboxes: a read, as idle work writes none."""
    statement = select(quarantine.c.item_id).where(quarantine.c.record_id.in_(records)).limit(1)
    return connection.execute(statement).first() is not None


def retry(
    connection: Connection, records: Collection[str], *, kinds: Collection[str], now: datetime
) -> None:
    """Let the tasks of these kinds for what is set aside of these mailboxes be due now.

    Only those under the mailboxes' present approvals.
    """
    present = select(approvals.c.epoch).where(approvals.c.record_id == tasks.c.owner)
    connection.execute(
        update(tasks)
        .where(
            tasks.c.kind.in_(kinds),
            tasks.c.subject.in_(subjects().where(quarantine.c.record_id.in_(records))),
            tasks.c.epoch == present.scalar_subquery(),
            tasks.c.state.in_((TaskState.QUEUED, TaskState.FAILED)),
        )
        .values(
            state=TaskState.QUEUED,
            not_before=now,
            result=None,
            cause=None,
            error_code=None,
            hint=None,
        )
    )


def subjects() -> Select[tuple[str]]:
    """Return the query of the subjects, as tasks name them, of all that is set aside."""
    return select(quarantine.c.object_id + "/" + quarantine.c.item_id)


def list_for(connection: Connection, records: Collection[str]) -> list[Quarantined]:
    """Return what is set aside of these mailboxes, oldest first."""
    rows = connection.execute(select(quarantine).order_by(quarantine.c.first_at))
    return [_from_row(row) for row in rows if row.record_id in records]


def _from_row(row: Row[Any]) -> Quarantined:
    return Quarantined(**row._mapping)
