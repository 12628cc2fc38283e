"""The access log: one row for each answer that held items of a mailbox. Append only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select

from sync.model.read import Read
from sync.store.tables import access

# The one reason there is: nothing is read of a mailbox without an approval.
APPROVED = "approved mailbox"


@dataclass(frozen=True, slots=True)
class Access:
    """One answer that held items of a mailbox, and why it was asked for."""

    id: int
    at: datetime
    record_id: str
    object_id: str
    workload: str
    operation: str
    item_count: int
    epoch: int
    reason: str


def record(
    connection: Connection,
    reads: Sequence[Read],
    *,
    record_id: str,
    object_id: str,
    workload: str,
    epoch: int,
) -> None:
    """Write down what was read of a mailbox under an approval."""
    values = [
        {
            "at": read.at,
            "record_id": record_id,
            "object_id": object_id,
            "workload": workload,
            "operation": read.operation,
            "item_count": read.item_count,
            "epoch": epoch,
            "reason": APPROVED,
        }
        for read in reads
    ]
    if values:
        connection.execute(insert(access), values)


def list_for(
    connection: Connection, record_id: str, *, before: int | None = None, limit: int = 100
) -> list[Access]:
    """Return the newest accesses to a mailbox, newest first; `before` leaves newer ones out."""
    statement = select(access).where(access.c.record_id == record_id)
    if before is not None:
        statement = statement.where(access.c.id < before)
    rows = connection.execute(statement.order_by(access.c.id.desc()).limit(limit))
    return [_access_from_row(row) for row in rows]


def _access_from_row(row: Row[Any]) -> Access:
    return Access(**row._mapping)
