"""The items of a page, kept until their rows are made.

Why they are kept: an item read apart for its task would cost one request each, twenty times the
budget, and one deleted between page and task would be lost. They are stored before the
page's transaction, in one of their own, so that bulk never holds up the writer; a page that is
then not committed leaves some behind, which `forget_older` takes away. A missing payload is no
loss: the task reads the item again by its immutable id.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, select

from kernel.database import insert
from kernel.digest import canonical_json
from sync.store.tables import payloads

# A larger one is read again by its task: the database is no store for mail.
MAX_BYTES = 1_000_000

# Asked for every item, so they are built once.
_ITEM = (payloads.c.object_id == bindparam("object"), payloads.c.item_id == bindparam("item"))
_FIND = select(payloads.c.body).where(*_ITEM)
_FORGET = delete(payloads).where(*_ITEM)


def packed(content: Mapping[str, Any]) -> bytes | None:
    """Return an item as compressed JSON, or None when it is too large to keep."""
    try:
        body = zlib.compress(canonical_json(dict(content)), 1)
    except (TypeError, ValueError):
        return None
    return body if len(body) <= MAX_BYTES else None


def packed_all(contents: Mapping[str, Mapping[str, Any]]) -> dict[str, bytes]:
    """Return these items packed, by item id, without those too large to keep."""
    bodies = {item_id: packed(content) for item_id, content in contents.items()}
    return {item_id: body for item_id, body in bodies.items() if body is not None}


def store(
    connection: Connection, object_id: str, bodies: Mapping[str, bytes], *, now: datetime
) -> None:
    """Keep the packed items of a mailbox, by item id."""
    if not bodies:
        return
    values = [
        {"object_id": object_id, "item_id": item_id, "body": body, "stored_at": now}
        for item_id, body in bodies.items()
    ]
    statement = insert(connection, payloads)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["object_id", "item_id"],
            set_={name: statement.excluded[name] for name in ("body", "stored_at")},
        ),
        values,
    )


def find(connection: Connection, object_id: str, item_id: str) -> dict[str, Any] | None:
    """Return the item as it was in its page, if it is still kept."""
    body = connection.scalar(_FIND, {"object": object_id, "item": item_id})
    if body is None:
        return None
    content: dict[str, Any] = json.loads(zlib.decompress(body))
    return content


def forget(connection: Connection, object_id: str, item_id: str) -> None:
    """Take one item away."""
    connection.execute(_FORGET, {"object": object_id, "item": item_id})


def forget_mailbox(connection: Connection, object_id: str) -> None:
    """Take away every item of a mailbox that is no longer approved."""
    connection.execute(delete(payloads).where(payloads.c.object_id == object_id))


def forget_older(connection: Connection, before: datetime) -> None:
    """Take away what a page left behind that was never committed."""
    connection.execute(delete(payloads).where(payloads.c.stored_at < before))
