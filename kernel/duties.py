"""Duties: what several processes on one database do one at a time.

    duty        something that is done again and again, such as a reconciliation, by one process
    holder      the process that does it; it keeps the duty while it comes again in time

A holder that dies is followed by whichever process asks first once its time is over. It is no
fence: what a duty writes must be harmless when two do it, and a duty keeps them from doing the same
work over and over.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Column, Connection, Table, Text, or_, select, update

from kernel.clock import Clock
from kernel.database import Database, insert
from kernel.failpoints import failpoint
from kernel.tables import Instant, metadata

TAKEN = failpoint("duties.taken", "A process takes a duty, or says that it still has it.")
GIVEN_BACK = failpoint("duties.given-back", "A process that stops gives its duties back.")

LEAST_SECONDS = 30.0
# So many times may a holder be late for its next round.
_ROUNDS = 3

duties = Table(
    "kernel_duties",
    metadata,
    Column("name", Text, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("held_until", Instant, nullable=False),
)


class Duties:
    """The duties of one process; alone on its database it has all, and writes nothing."""

    def __init__(self, database: Database, clock: Clock, *, holder: str) -> None:
        self._database = database
        self._clock = clock
        self._holder = holder
        self._is_alone = database.dialect == "sqlite"

    async def has(self, name: str, *, every_seconds: float) -> bool:
        """Return whether a duty that comes round so often is this process's for this round."""
        if self._is_alone:
            return True
        now = self._clock.now()
        until = now + timedelta(seconds=max(LEAST_SECONDS, _ROUNDS * every_seconds))
        # A read first: who waits for another writes nothing.
        if not await self._database.read(lambda c: is_free(c, name, holder=self._holder, now=now)):
            return False
        return await self._database.write(
            lambda c: take(c, name, holder=self._holder, now=now, until=until), failpoint=TAKEN
        )

    async def give_back(self) -> None:
        """Let others have the duties of this process at once."""
        if self._is_alone:
            return
        now = self._clock.now()
        await self._database.write(
            lambda c: give_back(c, holder=self._holder, now=now), failpoint=GIVEN_BACK
        )


def is_free(connection: Connection, name: str, *, holder: str, now: datetime) -> bool:
    """Return whether `take` would give the duty to that process."""
    row = connection.execute(
        select(duties.c.holder, duties.c.held_until).where(duties.c.name == name)
    ).first()
    return row is None or row.holder == holder or row.held_until <= now


def take(connection: Connection, name: str, *, holder: str, now: datetime, until: datetime) -> bool:
    """Take a duty that nobody else has, or keep it; return whether it is this process's."""
    values = {"holder": holder, "held_until": until}
    kept = connection.execute(
        update(duties)
        .where(duties.c.name == name, or_(duties.c.holder == holder, duties.c.held_until <= now))
        .values(**values)
    )
    if kept.rowcount == 1:
        return True
    made = connection.execute(
        insert(connection, duties).values(name=name, **values).on_conflict_do_nothing()
    )
    return made.rowcount == 1


def give_back(connection: Connection, *, holder: str, now: datetime) -> None:
    """End what a process holds."""
    connection.execute(update(duties).where(duties.c.holder == holder).values(held_until=now))
