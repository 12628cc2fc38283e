"""Links and tombstones. They outlive every cursor: a full round finds what is known by them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, select, update

from kernel.database import insert
from sync.model.link import ItemPlace, Link, LinkState
from sync.model.stream import Stream
from sync.store.tables import links

_CHANGING = (
    "state",
    "place",
    "folder",
    "row_id",
    "is_metadata_only",
    "has_weak_key",
    "round",
    "changed_at",
)

# Asked for every item, so it is built once.
_FIND = select(links).where(
    links.c.object_id == bindparam("object"), links.c.item_id == bindparam("item")
)


def find(connection: Connection, object_id: str, item_id: str) -> Link | None:
    """Return the link of one item, if it has one."""
    row = connection.execute(_FIND, {"object": object_id, "item": item_id}).first()
    return None if row is None else _link_from_row(row)


def find_many(connection: Connection, object_id: str, ids: Collection[str]) -> dict[str, Link]:
    """Return the links of these items of one mailbox, by item id."""
    if not ids:
        return {}
    rows = connection.execute(
        select(links).where(links.c.object_id == object_id, links.c.item_id.in_(ids))
    )
    return {row.item_id: _link_from_row(row) for row in rows}


def has_other(connection: Connection, row_id: str, object_id: str, item_id: str) -> bool:
    """Return whether another item than this one has that row."""
    is_this = (links.c.object_id == object_id) & (links.c.item_id == item_id)
    statement = select(links.c.row_id).where(links.c.row_id == row_id, ~is_this).limit(1)
    return connection.execute(statement).first() is not None


def save(connection: Connection, stream: Stream, found: Iterable[Link], *, now: datetime) -> None:
    """Write new and changed links of a stream."""
    values = [
        {
            "object_id": stream.object_id,
            "workload": stream.workload,
            "folder": stream.folder,
            "round": stream.round,
            "changed_at": now,
            **{name: getattr(link, name) for name in Link.__dataclass_fields__},
        }
        for link in found
    ]
    if not values:
        return
    statement = insert(connection, links)
    statement = statement.on_conflict_do_update(
        index_elements=["object_id", "item_id"],
        set_={name: statement.excluded[name] for name in _CHANGING},
    )
    connection.execute(statement, values)


def mark_seen(connection: Connection, stream: Stream, ids: Collection[str]) -> None:
    """Write down that a full round has listed these known items."""
    if ids:
        connection.execute(
            update(links)
            .where(links.c.object_id == stream.object_id, links.c.item_id.in_(ids))
            .values(round=stream.round)
        )


def follow(connection: Connection, stream: Stream, ids: Collection[str]) -> None:
    """Count these known items among those of the stream's folder, wherever they were before.

    Without it an item that moved from one folder of a workload into another would be held against
    the folder that it left. Where nothing moved, no row changes.
    """
    if ids:
        connection.execute(
            update(links)
            .where(
                links.c.object_id == stream.object_id,
                links.c.item_id.in_(ids),
                links.c.folder != stream.folder,
            )
            .values(folder=stream.folder)
        )


def list_unseen(connection: Connection, stream: Stream) -> list[str]:
    """Return the items that should be in the folder but were not listed in the full round."""
    statement = select(links.c.item_id).where(
        links.c.object_id == stream.object_id,
        links.c.workload == stream.workload,
        links.c.folder == stream.folder,
        links.c.place == ItemPlace.HERE,
        links.c.round < stream.round,
    )
    return list(connection.scalars(statement.order_by(links.c.item_id)))


def list_pending(connection: Connection, stream: Stream) -> list[str]:
    """Return the items of a stream whose row still has to be made, those set aside among them."""
    statement = select(links.c.item_id).where(
        links.c.object_id == stream.object_id,
        links.c.workload == stream.workload,
        links.c.folder == stream.folder,
        links.c.state.in_((LinkState.PENDING, LinkState.SET_ASIDE)),
    )
    return list(connection.scalars(statement.order_by(links.c.item_id)))


def count_here(connection: Connection, stream: Stream) -> int:
    """Return how many linked items are in the stream's folder."""
    return _count(connection, stream, links.c.place == ItemPlace.HERE)


def count_gone_since(connection: Connection, stream: Stream, at: datetime) -> int:
    """Return how many links of the folder became tombstones at that moment or later."""
    condition = (links.c.place == ItemPlace.GONE) & (links.c.changed_at >= at)
    return _count(connection, stream, condition)


def set_outcome(
    connection: Connection,
    object_id: str,
    item_id: str,
    *,
    now: datetime,
    **values: Any,
) -> None:
    """Write what became of one item: `state`, `row_id`, `place`, `folder` or `has_weak_key`."""
    connection.execute(
        update(links)
        .where(links.c.object_id == object_id, links.c.item_id == item_id)
        .values(changed_at=now, **values)
    )


def _count(connection: Connection, stream: Stream, condition: Any) -> int:
    statement = select(func.count()).where(
        links.c.object_id == stream.object_id,
        links.c.workload == stream.workload,
        links.c.folder == stream.folder,
        condition,
    )
    return connection.scalar(statement) or 0


def _link_from_row(row: Row[Any]) -> Link:
    return Link(
        row.item_id,
        state=LinkState(row.state),
        place=ItemPlace(row.place),
        shared_id=row.shared_id,
        row_id=row.row_id,
        is_metadata_only=row.is_metadata_only,
        has_weak_key=row.has_weak_key,
    )
