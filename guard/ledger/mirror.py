"""The guard's copies of the guarded rows: storage functions.

A copy holds what the guard itself has read, and which of it is known good (law 16). Times are UTC;
columns have their flat names.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, delete, func, select, tuple_, update

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
# Exchange lets one object have fewer.
MOST_ADDRESSES = 500


def keep(connection: Connection, row: MirrorRow) -> bool:
    """Let a copy replace the one that it was made from; return whether it did.

    Another that came between stays: it was read later, or of the same row by somebody else.
    """
    columns = guarded_part(row.table, row.columns)
    values = {
        "columns": text_of(storable(columns)),
        "good": text_of(dict(row.good)),
        "owner_id": _owner_id(row.table, columns),
        "address": address_of(row.table, columns),
        "read_at": row.read_at,
        "decision_id": row.decision_id,
        "rested": row.rested,
        "name": row.name,
        "revision": row.revision + 1,
    }
    if row.revision == 0:
        statement = (
            insert(connection, mirror)
            .values(table_name=row.table, record_id=row.record_id, **values)
            .on_conflict_do_nothing(index_elements=["table_name", "record_id"])
        )
        return connection.execute(statement).rowcount == 1
    replaced = (
        update(mirror)
        .where(
            mirror.c.table_name == row.table,
            mirror.c.record_id == row.record_id,
            mirror.c.revision == row.revision,
        )
        .values(**values)
    )
    return connection.execute(replaced).rowcount == 1


def find(connection: Connection, table: str, record_id: str) -> MirrorRow | None:
    """Return the copy of a row, if there is one."""
    found = connection.execute(
        select(mirror).where(mirror.c.table_name == table, mirror.c.record_id == record_id)
    ).first()
    return None if found is None else _from_row(found)


def find_all(
    connection: Connection, keys: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], MirrorRow]:
    """Return the copies of rows by table and id, as far as there are any."""
    of_rows = tuple_(mirror.c.table_name, mirror.c.record_id)
    rows = connection.execute(select(mirror).where(of_rows.in_(keys)))
    return {(row.table_name, row.record_id): _from_row(row) for row in rows}


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


def list_by_addresses(connection: Connection, addresses: Sequence[str]) -> list[MirrorRow] | None:
    """Return rows of any table that have one of these addresses, folded as by `address_of`.

    At most MOST_HOLDERS; None until every row has been seen once.
    """
    seen = connection.scalar(select(func.count()).select_from(baselines)) or 0
    if seen < len(TABLES):
        return None
    wanted = mirror.c.address.in_(addresses[:MOST_ADDRESSES])
    rows = connection.execute(select(mirror).where(wanted).limit(MOST_HOLDERS))
    return [_from_row(row) for row in rows]


def has_baseline(connection: Connection, table: str) -> bool:
    """Return whether every row of a table has been seen once."""
    found = select(baselines.c.table_name).where(baselines.c.table_name == table)
    return connection.execute(found).first() is not None


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
        read_at=row.read_at,
        good=json.loads(row.good),
        decision_id=row.decision_id,
        rested=row.rested,
        name=row.name,
        revision=row.revision,
    )
