"""Streams and their cursors. The cursor is written only beside what it covers (law 6)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, case, func, select, update

from kernel.database import insert
from sync.model.stream import Stream
from sync.store.tables import streams


def find(connection: Connection, stream_id: str) -> Stream | None:
    """Return the stream, if it was ever read."""
    row = connection.execute(select(streams).where(streams.c.stream_id == stream_id)).first()
    return None if row is None else _stream_from_row(row)


def list_for(connection: Connection, record_id: str, object_id: str) -> list[Stream]:
    """Return every stream of one mailbox, whatever its workload."""
    rows = connection.execute(
        select(streams)
        .where(streams.c.record_id == record_id, streams.c.object_id == object_id)
        .order_by(streams.c.stream_id)
    )
    return [_stream_from_row(row) for row in rows]


def list_all(connection: Connection) -> list[Stream]:
    """Return every stream."""
    rows = connection.execute(select(streams).order_by(streams.c.stream_id))
    return [_stream_from_row(row) for row in rows]


def save(connection: Connection, stream: Stream) -> None:
    """Write the stream as it now is; but it never gets older than it was said to be.

    One of an earlier round than the stored one writes nothing: a new round was begun meanwhile.
    """
    values = {column.name: getattr(stream, column.name) for column in streams.columns}
    statement = insert(connection, streams).values(**values)
    newer = statement.excluded.fresh_as_of
    fresh_as_of = case(
        (newer.is_(None) | (streams.c.fresh_as_of > newer), streams.c.fresh_as_of), else_=newer
    )
    statement = statement.on_conflict_do_update(
        index_elements=["stream_id"],
        set_={**values, "fresh_as_of": fresh_as_of},
        where=streams.c.round <= statement.excluded.round,
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


def begin_anew(connection: Connection, record_id: str, *, failed_only: bool) -> None:
    """Let the streams of a mailbox begin a full round; those that fail at their link, or all."""
    chosen = streams.c.record_id == record_id
    if failed_only:
        chosen &= streams.c.link_failures > 0
    for row in connection.execute(select(streams).where(chosen)):
        save(connection, _stream_from_row(row).anew())


def _stream_from_row(row: Row[Any]) -> Stream:
    return Stream(**row._mapping)


def count_braked(connection: Connection) -> dict[str, int]:
    """Return how many streams each brake stops, by its name."""
    statement = (
        select(streams.c.brake, func.count())
        .where(streams.c.brake.is_not(None))
        .group_by(streams.c.brake)
    )
    return {name: count for name, count in connection.execute(statement)}
