"""Streams and their cursors. The cursor is written only beside what it covers (law 6)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, case, select, update

from kernel.brake import Braked
from kernel.database import insert
from sync.store.tables import streams

INBOX = "inbox"
MAIL = "mail"


@dataclass(frozen=True, slots=True)
class Stream:
    """One delta chain and its bookmark; `is_full` while a full round is under way."""

    stream_id: str
    record_id: str
    object_id: str
    workload: str
    folder: str
    folder_id: str | None
    cursor: str | None
    page_cursor: str | None
    round: int
    is_full: bool
    epoch: int
    brake: str | None
    brake_count: int | None
    brake_total: int | None
    cursor_at: datetime | None
    fresh_as_of: datetime | None

    @property
    def braked(self) -> Braked | None:
        """The brake that stops the removals of this stream, if one does."""
        if self.brake is None:
            return None
        return Braked(self.brake, self.brake_count or 0, self.brake_total or 0)

    def braked_by(self, braked: Braked | None) -> Stream:
        """Return the stream with that brake, or without any."""
        if braked is None:
            return replace(self, brake=None, brake_count=None, brake_total=None)
        return replace(self, brake=braked.name, brake_count=braked.count, brake_total=braked.total)


def brake_reason(braked: Braked) -> str:
    """Return what a pulled brake of a stream tells people."""
    return f"A full round listed {braked.total - braked.count} of {braked.total} known mails."


def new_stream(record_id: str, object_id: str, *, folder: str = INBOX) -> Stream:
    """Return a stream that was never read: its first round is a full one."""
    return Stream(
        stream_id=f"{record_id}/{object_id}/{MAIL}/{folder}",
        record_id=record_id,
        object_id=object_id,
        workload=MAIL,
        folder=folder,
        folder_id=None,
        cursor=None,
        page_cursor=None,
        round=1,
        is_full=True,
        epoch=0,
        brake=None,
        brake_count=None,
        brake_total=None,
        cursor_at=None,
        fresh_as_of=None,
    )


def find(connection: Connection, stream_id: str) -> Stream | None:
    """Return the stream, if it was ever read."""
    row = connection.execute(select(streams).where(streams.c.stream_id == stream_id)).first()
    return None if row is None else _stream_from_row(row)


def list_all(connection: Connection) -> list[Stream]:
    """Return every stream."""
    rows = connection.execute(select(streams).order_by(streams.c.stream_id))
    return [_stream_from_row(row) for row in rows]


def save(connection: Connection, stream: Stream) -> None:
    """Write the stream as it now is; but it never gets older than it was said to be."""
    values = {column.name: getattr(stream, column.name) for column in streams.columns}
    statement = insert(connection, streams).values(**values)
    newer = statement.excluded.fresh_as_of
    fresh_as_of = case(
        (newer.is_(None) | (streams.c.fresh_as_of > newer), streams.c.fresh_as_of), else_=newer
    )
    statement = statement.on_conflict_do_update(
        index_elements=["stream_id"], set_={**values, "fresh_as_of": fresh_as_of}
    )
    connection.execute(statement)


def save_freshness(connection: Connection, fresh: Mapping[str, datetime]) -> None:
    """Write for many streams at once how fresh they are; a stream never gets older."""
    if fresh:
        connection.execute(
            update(streams)
            .where(
                streams.c.stream_id == bindparam("id_"),
                streams.c.fresh_as_of < bindparam("fresh_"),
            )
            .values(fresh_as_of=bindparam("fresh_")),
            [{"id_": stream_id, "fresh_": at} for stream_id, at in fresh.items()],
        )


def release_brake(connection: Connection, record_id: str) -> None:
    """Forget what made the streams of a mailbox stop and ask a person."""
    connection.execute(
        update(streams)
        .where(streams.c.record_id == record_id, streams.c.brake.is_not(None))
        .values(brake=None, brake_count=None, brake_total=None)
    )


def _stream_from_row(row: Row[Any]) -> Stream:
    return Stream(**row._mapping)
