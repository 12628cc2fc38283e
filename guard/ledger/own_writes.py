"""What the guard announced to write itself, so that it knows its own writes again (law 5)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, delete, select

from guard.ledger.codec import storable, text_of
from guard.ledger.tables import writes, written
from kernel.database import insert
from rules.model.change import Value
from rules.replay.ledger_format import values_from

REMEMBERED = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class OwnWrite:
    """One announced write: the rows that it may show up on, and the values by flat name."""

    nonce: str
    record_ids: tuple[str, ...]
    columns: Mapping[str, Value]
    issued_at: datetime


def announce(
    connection: Connection,
    *,
    nonce: str,
    record_ids: Sequence[str],
    columns: Mapping[str, Value],
    now: datetime,
) -> None:
    """Remember a write before it is sent; a repeated announcement replaces the values."""
    values = {
        "record_ids": text_of(list(record_ids)),
        "columns": text_of(storable(columns)),
        "issued_at": now,
    }
    connection.execute(
        insert(connection, writes)
        .values(nonce=nonce, **values)
        .on_conflict_do_update(index_elements=["nonce"], set_=values)
    )
    connection.execute(delete(writes).where(writes.c.issued_at < now - REMEMBERED))
    # That it was announced is known for ever: whoever finds the write must not take it for one of
    # a database that is gone.
    for record_id in record_ids:
        connection.execute(
            insert(connection, written)
            .values(record_id=record_id, announced_at=now)
            .on_conflict_do_update(index_elements=["record_id"], set_={"announced_at": now})
        )


def find(connection: Connection, nonce: str) -> OwnWrite | None:
    """Return what was announced under the nonce."""
    row = connection.execute(select(writes).where(writes.c.nonce == nonce)).first()
    return None if row is None else _from_row(row)


def last_on(connection: Connection, record_id: str) -> datetime | None:
    """Return when a write was last announced that may show on a row, however long ago."""
    found = select(written.c.announced_at).where(written.c.record_id == record_id)
    return connection.scalar(found)


def list_on(connection: Connection, record_id: str, *, since: datetime) -> list[OwnWrite]:
    """Return what was announced since then that may show on a row, newest first."""
    rows = connection.execute(
        select(writes).where(writes.c.issued_at >= since).order_by(writes.c.issued_at.desc())
    )
    return [one for one in map(_from_row, rows) if record_id in one.record_ids]


def _from_row(row: Row[Any]) -> OwnWrite:
    return OwnWrite(
        nonce=row.nonce,
        record_ids=tuple(json.loads(row.record_ids)),
        columns=values_from(json.loads(row.columns)),
        issued_at=row.issued_at,
    )
