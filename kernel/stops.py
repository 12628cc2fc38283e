"""Stops: what a brake keeps from being done, and which approvals rest until it is (law 8).

A brake stops writes, never the loss of trust: whatever it keeps from being done about a row, the
approvals that the row concerns rest from the same transaction on. A stop is of one brake in one
scope (a table, or empty), about one subject; `record_id` is the mailbox whose approval rests, empty
where there is none. A person's release lets the brake's room go on with exactly these subjects; the
approvals rest until it has.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import (
    Column,
    Connection,
    Index,
    PrimaryKeyConstraint,
    Table,
    Text,
    delete,
    select,
    update,
)

from kernel.database import insert
from kernel.failpoints import failpoint
from kernel.tables import Instant, metadata

STOPPED = failpoint("kernel.stopped", "What a brake stops is written down, and approvals rest.")
RELEASED = failpoint("kernel.released", "A person lets go on what a brake stopped.")

stops = Table(
    "kernel_stops",
    metadata,
    Column("brake", Text, nullable=False),
    Column("scope", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("record_id", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("since", Instant, nullable=False),
    Column("released_at", Instant),
    PrimaryKeyConstraint("brake", "scope", "subject", "record_id"),
    Index("ix_kernel_stops_record", "record_id"),
)


@dataclass(frozen=True, slots=True)
class Stopped:
    """One thing that a brake is about to stop, and the mailbox whose approval rests, if any."""

    subject: str
    record_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Stop:
    """One thing that a brake has stopped; `released_at` is when a person let it go on."""

    brake: str
    scope: str
    subject: str
    record_id: str
    reason: str
    since: datetime
    released_at: datetime | None


def add(
    connection: Connection, brake: str, scope: str, found: Iterable[Stopped], *, now: datetime
) -> None:
    """Write down what the brake stops; what it had stopped before stays as it is."""
    for one in found:
        statement = insert(connection, stops).values(
            brake=brake,
            scope=scope,
            subject=one.subject,
            record_id=one.record_id,
            reason=one.reason,
            since=now,
        )
        connection.execute(statement.on_conflict_do_nothing())


def end(connection: Connection, brake: str, scope: str, subjects: Iterable[str]) -> None:
    """Forget what the brake stopped about these subjects: it was done, or need not be."""
    for subject in subjects:
        connection.execute(
            delete(stops).where(
                stops.c.brake == brake, stops.c.scope == scope, stops.c.subject == subject
            )
        )


def release(connection: Connection, brake: str, *, now: datetime) -> list[Stop]:
    """Let everything go on that the brake has stopped by now, and return it."""
    waiting = [one for one in list_all(connection) if one.brake == brake and not one.released_at]
    connection.execute(
        update(stops)
        .where(stops.c.brake == brake, stops.c.released_at.is_(None))
        .values(released_at=now)
    )
    return waiting


def list_of(connection: Connection, brake: str, scope: str) -> list[Stop]:
    """Return what the brake has stopped in that scope, by subject."""
    return [one for one in list_all(connection) if (one.brake, one.scope) == (brake, scope)]


def list_all(connection: Connection) -> list[Stop]:
    """Return every stop, by brake, scope and subject."""
    order = (stops.c.brake, stops.c.scope, stops.c.subject, stops.c.record_id)
    return [Stop(**row._mapping) for row in connection.execute(select(stops).order_by(*order))]


def reason_to_rest(connection: Connection, record_id: str) -> str | None:
    """Return why the approval of that mailbox rests, if a brake has stopped anything about it."""
    statement = select(stops.c.brake, stops.c.reason).where(stops.c.record_id == record_id)
    found = connection.execute(statement.order_by(stops.c.brake)).first()
    return None if found is None else told(found.brake, found.reason)


def told(brake: str, reason: str) -> str:
    """Return what people read about an approval that rests."""
    return f"The brake {brake} is pulled: {reason} A person must look."
