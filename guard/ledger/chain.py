"""The append-only law: each decision holds the digest of the one before it in its chain.

Each writer process has a chain of its own, so that nobody waits for another's head. The chain's
row is updated in the same transaction as the decisions, so a cut tail shows against it; and a
checkpoint joins the heads of all chains, so that a chain's row can't be cut back with its tail. The
chain's row in turn names the newest checkpoint of its process, so that a missing one shows. A chain
begins with its first decision or its first checkpoint: any other that is empty is nobody's.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from itertools import chain as links
from typing import Any

from sqlalchemy import Connection, func, select, update
from sqlalchemy.exc import DBAPIError

from guard.ledger.codec import text_of
from guard.ledger.entry import Sealed, link
from guard.ledger.tables import chains, checkpoints, policy_sets
from kernel import acts
from kernel.database import insert
from kernel.digest import sha256_hex
from kernel.writer import scratch

BEGINNING = ""
_HEAD = "guard.chain.head"

_COLUMNS = (
    "id, decided_at, decision, cause, table_name, record_id, status, delivery_key, public,"
    " commitment, private, salt, chain, seq, digest"
)
_NAMES = tuple(name.strip() for name in _COLUMNS.split(","))
_INTO = f"INSERT INTO guard_decisions ({_COLUMNS}) "
_ON_REPEAT = " ON CONFLICT (record_id, delivery_key) DO NOTHING"
_ROW = f"({','.join('?' * len(_NAMES))})"
# The driver keeps so many statements prepared, one for each number of rows, and some to spare.
_MOST_ROWS = 64
_SQLITE_HEAD = "UPDATE guard_chains SET count = ?, head = ?, last_id = ? WHERE id = ?"
# On PostgreSQL all rows are one parameter: binding each of them costs the client three times that.
_POSTGRES_INSERT = (
    _INTO + f"SELECT {_COLUMNS} FROM json_to_recordset(%s::json) AS row"
    " (id text, decided_at bigint, decision text, cause text, table_name text, record_id text,"
    " status integer, delivery_key text, public text, commitment text, private text, salt text,"
    " chain text, seq bigint, digest text)" + _ON_REPEAT
)
_POSTGRES_HEAD = _SQLITE_HEAD.replace("?", "%s")


class RepeatFound(Exception):
    """A delivery among these was recorded before; nothing of the batch may stay."""


def append(connection: Connection, chain: str, batch: Sequence[Sealed]) -> None:
    """Append the decisions to the chain, in order.

    Raises RepeatFound when one of them is of a delivery that was recorded before; the caller's
    transaction must then be rolled back. Plain driver statements: this is the hot path.
    """
    count, head = _head_of(connection, chain)
    rows: list[tuple[Any, ...]] = []
    for item in batch:
        digest = link(chain, count, head, item.stated)
        texts = (item.public, item.commitment, item.private, item.salt)
        rows.append((*item.fields, *texts, chain, count, digest))
        count, head = count + 1, digest
    state = (count, head, batch[-1].entry.id, chain)
    if connection.dialect.name == "postgresql":
        written = _append_postgres(connection, rows, state)
    else:
        written = _append_sqlite(connection, rows, state)
    if written != len(rows):
        raise RepeatFound
    scratch(connection)[_HEAD] = (chain, count, head)


def _append_postgres(
    connection: Connection, rows: Sequence[tuple[Any, ...]], state: tuple[Any, ...]
) -> int:
    named = [dict(zip(_NAMES, row, strict=True)) for row in rows]
    written = connection.exec_driver_sql(_POSTGRES_INSERT, (text_of(named),)).rowcount
    connection.exec_driver_sql(_POSTGRES_HEAD, state)
    return written


@cache
def _sqlite_insert(rows: int) -> str:
    """Return one statement for many rows.

    The driver gives up the interpreter's lock for each statement that it runs, and getting it back
    from a busy event loop costs more than a row.
    """
    return _INTO + "VALUES " + ",".join([_ROW] * rows) + _ON_REPEAT


def _append_sqlite(
    connection: Connection, rows: Sequence[tuple[Any, ...]], state: tuple[Any, ...]
) -> int:
    """Do it through the driver itself, which is a tenth of the way through SQLAlchemy."""
    driver: Any = connection.connection.driver_connection
    written = 0
    try:
        for at in range(0, len(rows), _MOST_ROWS):
            some = rows[at : at + _MOST_ROWS]
            statement = _sqlite_insert(len(some))
            written += driver.execute(statement, tuple(links.from_iterable(some))).rowcount
        driver.execute(_SQLITE_HEAD, state)
    except sqlite3.Error as error:
        raise DBAPIError.instance(
            _INTO, None, error, sqlite3.Error, hide_parameters=True
        ) from error
    return written


def _head_of(connection: Connection, chain: str) -> tuple[int, str]:
    known = scratch(connection).get(_HEAD)
    if known is not None and known[0] == chain:
        return known[1], known[2]
    row = connection.execute(
        select(chains.c.count, chains.c.head).where(chains.c.id == chain)
    ).first()
    if row is not None:
        count, head = row
        return count, head
    connection.execute(
        insert(connection, chains).values(
            id=chain,
            count=0,
            head=BEGINNING,
            last_id="",
            checkpoint=0,
            checkpoint_digest=BEGINNING,
        )
    )
    return 0, BEGINNING


def checkpoint(connection: Connection, chain: str, *, now: datetime) -> int | None:
    """Write down the heads of all chains; return the number, None when nothing is new.

    `chain` is the process's own: no other is touched, so that nobody waits for another's row.
    """
    last = last_checkpoint(connection)
    if not _is_new(_state_of(connection), last):
        return None
    _head_of(connection, chain)
    number, previous = _newest_stated(connection, last)
    state = _state_of(connection)
    text = json.dumps(
        {"number": number + 1, "by": chain, "previous": previous, "state": state},
        separators=(",", ":"),
    )
    digest = sha256_hex(text.encode())
    written = connection.execute(
        insert(connection, checkpoints)
        .values(number=number + 1, made_at=now, heads=text, digest=digest)
        .on_conflict_do_nothing()
    )
    if written.rowcount != 1:
        return None
    connection.execute(
        update(chains)
        .where(chains.c.id == chain)
        .values(checkpoint=number + 1, checkpoint_digest=digest)
    )
    return number + 1


def _newest_stated(connection: Connection, last: Any) -> tuple[int, str]:
    """Return number and digest of the newest checkpoint, also of one that was taken away.

    A new one goes on from there, so that it can't hide the gap.
    """
    found = (last.number, last.digest) if last is not None else (0, BEGINNING)
    stated = connection.execute(
        select(chains.c.checkpoint, chains.c.checkpoint_digest)
        .order_by(chains.c.checkpoint.desc())
        .limit(1)
    ).first()
    return max(found, tuple(stated)) if stated is not None else found


def is_anything_new(connection: Connection) -> bool:
    """Return whether a checkpoint now would say anything that the last one doesn't."""
    return _is_new(_state_of(connection), last_checkpoint(connection))


def _is_new(stated: dict[str, Any], last: Any) -> bool:
    if last is None:
        return bool(stated["chains"] or stated["acts"][0])
    return bool(json.loads(last.heads)["state"] != stated)


def _state_of(connection: Connection) -> dict[str, Any]:
    heads = connection.execute(
        select(chains.c.id, chains.c.count, chains.c.head, chains.c.last_id).order_by(chains.c.id)
    )
    sets = connection.execute(select(policy_sets).order_by(policy_sets.c.digest))
    end = acts.end_of(connection)
    return {
        "acts": [end.count, end.digest],
        "chains": {chain: [count, head, last_id] for chain, count, head, last_id in heads},
        "policy_sets": {row.digest: sha256_hex(row.documents.encode()) for row in sets},
    }


def last_checkpoint(connection: Connection) -> Any:
    """Return the row of the newest checkpoint, if there is one."""
    newest = select(func.max(checkpoints.c.number)).scalar_subquery()
    return connection.execute(select(checkpoints).where(checkpoints.c.number == newest)).first()
