"""The quarantine: items set aside with a reason, so that the cursor may pass them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, select

from kernel.database import insert
from sync.tables import quarantine

MAX_REASON = 500

_LET_GO = delete(quarantine).where(
    quarantine.c.object_id == bindparam("object"), quarantine.c.item_id == bindparam("item")
)


@dataclass(frozen=True, slots=True)
class Quarantined:
    """One item that waits for a person."""

    object_id: str
    item_id: str
    record_id: str
    reason: str
    first_at: datetime
    last_at: datetime
    times: int


def put(
    connection: Connection,
    *,
    record_id: str,
    object_id: str,
    item_id: str,
    reason: str,
    now: datetime,
) -> None:
    """Set an item aside, or say so once more."""
    reason = reason[:MAX_REASON]
    statement = insert(connection, quarantine).values(
        record_id=record_id,
        object_id=object_id,
        item_id=item_id,
        reason=reason,
        first_at=now,
        last_at=now,
        times=1,
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


def list_for(connection: Connection, records: Collection[str]) -> list[Quarantined]:
    """Return what is set aside of these mailboxes, oldest first."""
    rows = connection.execute(select(quarantine).order_by(quarantine.c.first_at))
    return [_from_row(row) for row in rows if row.record_id in records]


def _from_row(row: Row[Any]) -> Quarantined:
    return Quarantined(**row._mapping)
