"""What the sync itself knows of a mailbox: its state with the reason, and whether it is paused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, case, select, update

from kernel.database import insert
from kernel.tables import Instant
from sync.store.tables import SyncState, mailboxes

_FIND = select(mailboxes).where(mailboxes.c.record_id == bindparam("record"))


@dataclass(frozen=True, slots=True)
class MailboxState:
    """The state of one mailbox, with its reason."""

    record_id: str
    state: SyncState
    reason: str
    is_paused: bool
    next_at: datetime | None
    empty_answers: int
    changed_at: datetime


def list_all(connection: Connection) -> dict[str, MailboxState]:
    """Return the state of every mailbox that has one, by record id."""
    rows = connection.execute(select(mailboxes))
    return {row.record_id: _from_row(row) for row in rows}


def find(connection: Connection, record_id: str) -> MailboxState | None:
    """Return the state of one mailbox, if it has one."""
    row = connection.execute(_FIND, {"record": record_id}).first()
    return None if row is None else _from_row(row)


def set_state(
    connection: Connection,
    record_id: str,
    *,
    state: SyncState,
    reason: str,
    now: datetime,
    next_at: datetime | None = None,
) -> None:
    """Write the state of a mailbox, and when it is due if it is visited by us at all.

    One that stays the same keeps its times.
    """
    values = {"state": state, "reason": reason, "next_at": next_at, "changed_at": now}
    statement = insert(connection, mailboxes).values(
        record_id=record_id, is_paused=False, empty_answers=0, **values
    )
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["record_id"],
            set_=values,
            where=(mailboxes.c.state != state) | (mailboxes.c.reason != reason),
        )
    )


def pause(connection: Connection, record_id: str, *, reason: str, now: datetime) -> None:
    """Let a mailbox rest until a person resumes it."""
    values = {
        "state": SyncState.PAUSED,
        "reason": reason,
        "is_paused": True,
        "next_at": None,
        "changed_at": now,
    }
    statement = insert(connection, mailboxes).values(record_id=record_id, empty_answers=0, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=["record_id"], set_=values))


def resume(connection: Connection, record_id: str, *, now: datetime) -> None:
    """End a person's pause."""
    connection.execute(
        update(mailboxes)
        .where(mailboxes.c.record_id == record_id, mailboxes.c.is_paused)
        .values(state=SyncState.WAITING, reason="", is_paused=False, changed_at=now)
    )


def save_visits(connection: Connection, visits: Mapping[str, tuple[datetime, int]]) -> None:
    """Write for many mailboxes at once when they are due and how many empty answers they gave.

    One that meanwhile is visited no longer stays without a time.
    """
    if visits:
        connection.execute(
            update(mailboxes)
            .where(mailboxes.c.record_id == bindparam("id_"))
            .values(
                next_at=case(
                    (mailboxes.c.next_at.is_not(None), bindparam("next_", type_=Instant()))
                ),
                empty_answers=mailboxes.c.empty_answers + bindparam("empty_"),
            ),
            [
                {"id_": record_id, "next_": next_at, "empty_": empty}
                for record_id, (next_at, empty) in visits.items()
            ],
        )


def _from_row(row: Row[Any]) -> MailboxState:
    return MailboxState(**row._mapping)
