"""How fresh each stream is, kept in memory and written for the whole fleet in one batch."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from kernel.clock import Clock
from kernel.database import Database
from sync.failpoints import FRESHNESS
from sync.model.stream import Stream
from sync.store import mailboxes, streams

FLUSH_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class _Noted:
    record_id: str
    fresh_as_of: datetime
    gain_seconds: float
    empty_answers: int


class Freshness:
    """What visits learnt that wrote nothing themselves, until the next batch."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._noted: dict[str, _Noted] = {}
        self._due: dict[str, datetime] = {}
        self._written: dict[str, datetime] = {}

    def note(self, stream: Stream, *, fresh_as_of: datetime, empty: int) -> None:
        """Remember one pass over a stream; `stream` is as the database has it."""
        before = self._noted.get(stream.stream_id)
        known = (stream.fresh_as_of, self._written.get(stream.stream_id))
        stored = max((at for at in known if at is not None), default=None)
        self._noted[stream.stream_id] = _Noted(
            stream.record_id,
            fresh_as_of,
            (fresh_as_of - stored).total_seconds() if stored is not None else 0.0,
            empty + (before.empty_answers if before is not None else 0),
        )

    def note_due(self, record_id: str, due_at: datetime) -> None:
        """Remember when a mailbox is due, whether its last visit went well or not."""
        self._due[record_id] = due_at

    async def flush(self, *, gain_seconds: float = 0.0) -> None:
        """Write one batch, unless no stream would gain as many seconds of freshness."""
        noted, due = self._noted, self._due
        gains = [one.gain_seconds for one in noted.values()]
        if not due or max(gains, default=gain_seconds) < gain_seconds:
            return
        self._noted, self._due = {}, {}
        empty: Counter[str] = Counter()
        for one in noted.values():
            empty[one.record_id] += one.empty_answers

        def save(connection: Connection) -> None:
            streams.save_freshness(
                connection, {stream_id: one.fresh_as_of for stream_id, one in noted.items()}
            )
            mailboxes.save_visits(
                connection,
                {record_id: (at, empty[record_id]) for record_id, at in due.items()},
            )

        await self._database.write(save, failpoint=FRESHNESS)
        self._written |= {stream_id: one.fresh_as_of for stream_id, one in noted.items()}
