"""What is counted in the database when the metrics are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from kernel import stops, tasks
from kernel.brake import BRAKES
from kernel.clock import Clock
from kernel.database import Database
from kernel.tasks import TaskCounts
from sync.operate.counts import MailboxCounts, count_mailboxes

# Mailboxes are counted one by one; whoever scrapes often gets what is known.
MAILBOXES_FOR: Final = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Gauges:
    """The counts of one moment; `stopped` is how many things each brake has stopped."""

    tasks: TaskCounts
    mailboxes: MailboxCounts
    stopped: Mapping[str, int]


class GaugeReader:
    """Reads the gauges; mailboxes are at most a minute old."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._mailboxes: MailboxCounts | None = None
        self._counted_at: datetime | None = None

    async def read(self) -> Gauges:
        """Return what is counted now. Raises Unavailable when the database does not answer."""
        now = self._clock.now()
        if self._counted_at is None or now - self._counted_at >= MAILBOXES_FOR:
            self._mailboxes, self._counted_at = None, now
        known = self._mailboxes
        gauges = await self._database.read(lambda c: _read(c, known, now))
        self._mailboxes = gauges.mailboxes
        return gauges


def _read(connection: Connection, known: MailboxCounts | None, now: datetime) -> Gauges:
    mailboxes = known or count_mailboxes(connection, now=now)
    stopped = dict.fromkeys(BRAKES, 0) | dict(mailboxes.brakes)
    for one in stops.list_all(connection):
        stopped[one.brake] = stopped.get(one.brake, 0) + 1
    return Gauges(tasks.count_all(connection, now=now), mailboxes, stopped)
