"""What a brake of the watch keeps from being done, and whose approvals rest until it is (law 8).

A brake stops writes, never the loss of trust: whatever waits for a person's word, the approvals
that it concerns rest from the same moment on. What a person let go on is done; what comes later is
counted anew.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection

from guard.columns.table import TABLES, TableRole
from kernel import approvals, stops
from kernel.brake import Brake, Braked
from kernel.database import Database
from kernel.stops import STOPPED, Stop, Stopped


async def let_through(
    database: Database,
    brake: Brake,
    table: str,
    record_ids: Collection[str],
    *,
    rows: int,
    reason: str,
    now: datetime,
) -> tuple[frozenset[str], Braked | None]:
    """Return which rows of a table may be dealt with now, and the brake if it is pulled.

    `record_ids` are all that would be dealt with, of so many rows. Those that have to wait are
    written down with this reason, and their approvals rest; those that no longer have to are
    forgotten. A round that changes nothing writes nothing.
    """
    known = await database.read(lambda c: stops.list_of(c, brake.name, table))
    released = {one.subject for one in known if one.released_at is not None}
    waiting = [one for one in record_ids if one not in released]
    braked = brake.check(len(waiting), rows)
    stopped = waiting if braked is not None else []
    over = {one.subject for one in known}.difference(stopped).difference(record_ids)
    if stopped or over:
        await _write(database, brake, table, known, stopped, over, reason=reason, now=now)
    return frozenset(record_ids).difference(stopped), braked


async def done(database: Database, brake: Brake, table: str, record_ids: Collection[str]) -> None:
    """Forget what waited about these rows: it was done."""
    known = await database.read(lambda c: stops.list_of(c, brake.name, table))
    over = {one.subject for one in known}.intersection(record_ids)
    if over:
        await database.write(lambda c: stops.end(c, brake.name, table, over), failpoint=STOPPED)


async def _write(
    database: Database,
    brake: Brake,
    table: str,
    known: Collection[Stop],
    stopped: Collection[str],
    over: Collection[str],
    *,
    reason: str,
    now: datetime,
) -> None:
    before = {(one.subject, one.record_id) for one in known}

    def find(connection: Connection) -> list[Stopped]:
        found = [
            Stopped(record_id, mailbox, reason)
            for record_id in stopped
            for mailbox in _concerned(connection, table, record_id)
        ]
        return [one for one in found if (one.subject, one.record_id) not in before]

    def write(connection: Connection) -> None:
        stops.add(connection, brake.name, table, find(connection), now=now)
        stops.end(connection, brake.name, table, over)

    new = await database.read(find)
    if over or new:
        await database.write(write, failpoint=STOPPED)


def _concerned(connection: Connection, table: str, record_id: str) -> list[str]:
    """Return the mailboxes whose approval hangs on a row; one that is empty where none does."""
    if TABLES[table].role is TableRole.MAILBOX:
        return [record_id]
    owned = approvals.list_owned_by(connection, record_id)
    return [one.record_id for one in owned if one.state == approvals.APPROVED] or [""]
