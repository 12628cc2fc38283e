"""What is counted in the database when the metrics are read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from console.pulled import count_stopped
from guard.ledger import holds
from guard.registration import stored
from kernel import tasks
from kernel.brake import BRAKES
from kernel.clock import Clock
from kernel.database import Database
from kernel.tasks import TaskCounts
from sync.operate.counts import MailboxCounts, count_mailboxes

# Mailboxes are counted one by one; whoever scrapes often gets what is known.
MAILBOXES_FOR: Final = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Gauges:
    """The counts of one moment.

    `stopped` is how many things each brake has stopped, `refused` how many of our credentials Entra
    or a service refuses, `deviations` how many things differ from what was registered in Dataverse,
    `holds_waiting_seconds` for how long the oldest open hold has waited.
    """

    tasks: TaskCounts
    mailboxes: MailboxCounts
    stopped: Mapping[str, int]
    refused: int
    deviations: int = 0
    holds_open: int = 0
    holds_waiting_seconds: float = 0.0


class GaugeReader:
    """Reads the gauges; mailboxes are at most a minute old."""

    def __init__(
        self, database: Database, clock: Clock, *, count_refused: Callable[[], int] = lambda: 0
    ) -> None:
        self._count_refused = count_refused
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
        refused = self._count_refused()
        gauges = await self._database.read(lambda c: _read(c, known, now, refused))
        self._mailboxes = gauges.mailboxes
        return gauges


def _read(
    connection: Connection, known: MailboxCounts | None, now: datetime, refused: int
) -> Gauges:
    mailboxes = known or count_mailboxes(connection, now=now)
    stopped = dict.fromkeys(BRAKES, 0)
    for (name, _), count in count_stopped(connection).items():
        stopped[name] = stopped.get(name, 0) + count
    registered = stored.find(connection)
    parked = holds.count(connection, now=now)
    return Gauges(
        tasks.count_all(connection, now=now),
        mailboxes,
        stopped,
        refused,
        deviations=0 if registered is None else len(registered.deviations),
        holds_open=parked.opened,
        holds_waiting_seconds=(
            0.0 if parked.oldest is None else (now - parked.oldest).total_seconds()
        ),
    )
