"""The guard's last known good copy of the guarded columns: storage functions.

A copy is known good only when a decision allowed exactly these values or a scan judged them (law
16). Times are UTC; columns have their flat names.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, Row, delete, func, select

from guard.columns.compare import address_of, guarded_part
from guard.columns.owner import mailbox_owner_id
from guard.columns.table import MAILBOX, TABLES, TableRole
from guard.ledger.codec import storable, text_of
from guard.ledger.entry import MirrorRow
from guard.ledger.tables import baselines, mirror
from kernel.database import insert
from rules.model.change import Value
from rules.replay.ledger_format import values_from

MOST_HOLDERS = 50


def keep(connection: Connection, row: MirrorRow) -> None:
    """Remember the row unless a newer copy is already known.

    A column that `row` doesn't know keeps its older copy: an image need not hold every column.
    """
    columns = merged(find(connection, row.table, row.record_id), row)
    if columns is None:
        return
    values = {
        "columns": text_of(storable(columns)),
        "owner_id": _owner_id(row.table, columns),
        "address": address_of(row.table, columns),
        "changed_at": row.changed_at,
        "decision_id": row.decision_id,
    }
    connection.execute(
        insert(connection, mirror)
        .values(table_name=row.table, record_id=row.record_id, **values)
        .on_conflict_do_update(index_elements=["table_name", "record_id"], set_=values)
    )


def merged(known: MirrorRow | None, row: MirrorRow) -> dict[str, Value] | None:
    """Return the columns of the copy with `row` taken over; None when the copy is newer."""
    columns = guarded_part(row.table, row.columns)
    if known is None:
        return columns
    if known.changed_at > row.changed_at:
        return None
    if row.only is not None:
        taken = {name.split(".", 1)[0] for name in row.only}
        columns = {
            name: value
            for name, value in columns.items()
            if name not in known.columns or name.split(".", 1)[0] in taken
        }
    return {**known.columns, **columns}


def find(connection: Connection, table: str, record_id: str) -> MirrorRow | None:
    """Return the last known good copy of a row, if there is one."""
    found = connection.execute(
        select(mirror).where(mirror.c.table_name == table, mirror.c.record_id == record_id)
    ).first()
    return None if found is None else _from_row(found)


def list_by_ids(connection: Connection, table: str, ids: Iterable[str]) -> dict[str, MirrorRow]:
    """Return the copies of these rows by id."""
    rows = connection.execute(
        select(mirror).where(mirror.c.table_name == table, mirror.c.record_id.in_(list(ids)))
    )
    return {row.record_id: _from_row(row) for row in rows}


def list_ids(connection: Connection, table: str) -> list[str]:
    """Return the id of every row of a table that has a copy."""
    return list(connection.scalars(select(mirror.c.record_id).where(mirror.c.table_name == table)))


def list_by_owner(connection: Connection, owner_id: str) -> list[MirrorRow]:
    """Return the mailboxes that belong to a user or queue."""
    rows = connection.execute(
        select(mirror).where(mirror.c.table_name == MAILBOX.name, mirror.c.owner_id == owner_id)
    )
    return [_from_row(row) for row in rows]


def list_by_address(connection: Connection, address: str) -> list[MirrorRow] | None:
    """Return rows of any table that have an address, folded as `address_of` returns it.

    At most MOST_HOLDERS; None until every row has been seen once.
    """
    seen = connection.scalar(select(func.count()).select_from(baselines)) or 0
    if seen < len(TABLES):
        return None
    rows = connection.execute(select(mirror).where(mirror.c.address == address).limit(MOST_HOLDERS))
    return [_from_row(row) for row in rows]


def forget(connection: Connection, table: str, record_id: str) -> None:
    """Drop the copy of a row that was verified to be gone."""
    connection.execute(
        delete(mirror).where(mirror.c.table_name == table, mirror.c.record_id == record_id)
    )


def _owner_id(table: str, columns: Mapping[str, Value]) -> str | None:
    return mailbox_owner_id(columns) if TABLES[table].role is TableRole.MAILBOX else None


def _from_row(row: Row[Any]) -> MirrorRow:
    return MirrorRow(
        table=row.table_name,
        record_id=row.record_id,
        columns=values_from(json.loads(row.columns)),
        changed_at=row.changed_at,
        decision_id=row.decision_id,
    )
