"""Requests for a full pass to the process that holds the shards, and their answers."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, select, update

from kernel.database import insert
from sync.store.tables import PassState, passes


def request(
    connection: Connection, pass_id: str, *, shards: Collection[int], now: datetime
) -> None:
    """Ask the holders of these shards for a full pass."""
    if shards:
        connection.execute(
            insert(connection, passes).values(
                [
                    {
                        "pass_id": pass_id,
                        "shard": shard,
                        "state": PassState.REQUESTED,
                        "requested_at": now,
                    }
                    for shard in sorted(shards)
                ]
            )
        )


def list_requested(connection: Connection, shards: Collection[int]) -> dict[str, list[int]]:
    """Return what is asked of the holder of these shards: the shards by pass."""
    statement = (
        select(passes.c.pass_id, passes.c.shard)
        .where(passes.c.state == PassState.REQUESTED, passes.c.shard.in_(shards))
        .order_by(passes.c.requested_at, passes.c.shard)
    )
    asked: dict[str, list[int]] = {}
    for pass_id, shard in connection.execute(statement):
        asked.setdefault(pass_id, []).append(shard)
    return asked


def answer(
    connection: Connection,
    pass_id: str,
    *,
    shards: Sequence[int],
    answer: dict[str, Any],
    now: datetime,
) -> None:
    """Answer a request for these shards; the whole answer stands on the first of them."""
    for place, shard in enumerate(shards):
        connection.execute(
            update(passes)
            .where(passes.c.pass_id == pass_id, passes.c.shard == shard)
            .values(
                state=PassState.ANSWERED, answer=answer if place == 0 else None, answered_at=now
            )
        )


def list_open(connection: Connection, pass_id: str) -> list[int]:
    """Return the shards whose holders have not answered."""
    statement = select(passes.c.shard).where(
        passes.c.pass_id == pass_id, passes.c.state == PassState.REQUESTED
    )
    return list(connection.scalars(statement))


def list_answers(connection: Connection, pass_id: str) -> list[dict[str, Any]]:
    """Return what the holders answered."""
    statement = select(passes.c.answer).where(
        passes.c.pass_id == pass_id, passes.c.answer.is_not(None)
    )
    return list(connection.scalars(statement.order_by(passes.c.shard)))


def take_back(
    connection: Connection, pass_id: str, *, shards: Collection[int] | None = None
) -> None:
    """Take a request back, whole or for some shards."""
    statement = delete(passes).where(passes.c.pass_id == pass_id)
    if shards is not None:
        statement = statement.where(passes.c.shard.in_(shards))
    connection.execute(statement)


def forget_older(connection: Connection, before: datetime) -> None:
    """Take away what nobody waits for any more."""
    connection.execute(delete(passes).where(passes.c.requested_at < before))
