"""Tasks: durable effects, added in the transaction that decides on them, carried out afterwards.

A task carries a token. Its handler puts the token into what it makes, and looks it up first when
an earlier outcome is unknown (`attempts` above 1). A claim ends by itself, so that the tasks of a
dead worker are taken up again; the fence of the claim makes the late worker's answer fail.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Index,
    Integer,
    Row,
    Select,
    Table,
    Text,
    UniqueConstraint,
    Update,
    and_,
    func,
    or_,
    select,
    update,
)

from kernel.database import insert
from kernel.errors import FenceLost
from kernel.tables import BigKey, Instant, Json, metadata

QUEUED = "queued"
RUNNING = "running"
DONE = "done"
NEEDS_PERSON = "needs-person"
FAILED = "failed"
OPEN_STATES = (QUEUED, RUNNING)

CLAIM_SECONDS = 120.0

tasks = Table(
    "kernel_tasks",
    metadata,
    Column("id", BigKey, primary_key=True, autoincrement=True),
    Column("kind", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("token", Text, nullable=False),
    Column("payload", Json, nullable=False),
    Column("owner", Text, nullable=False),
    Column("shard", Integer, nullable=False),
    Column("not_before", Instant, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("result", Text),
    Column("fence", Integer, nullable=False),
    Column("claimed_until", Instant),
    Column("added_at", Instant, nullable=False),
    UniqueConstraint("kind", "key"),
    Index("ix_kernel_tasks_due", "state", "not_before"),
    Index("ix_kernel_tasks_owner", "owner"),
)


@dataclass(frozen=True, slots=True)
class Task:
    """One durable effect as its handler sees it."""

    id: int
    kind: str
    key: str
    token: str
    payload: dict[str, Any]
    owner: str
    shard: int
    not_before: datetime
    attempts: int
    state: str
    result: str | None
    fence: int
    claimed_until: datetime | None
    added_at: datetime


def add(
    connection: Connection,
    *,
    kind: str,
    key: str,
    payload: dict[str, Any],
    owner: str,
    now: datetime,
    not_before: datetime | None = None,
    shard: int = 0,
    token: str | None = None,
    latest: bool = False,
) -> bool:
    """Add a task unless one of that kind and key exists; return whether it was added.

    `latest` gives a task that has not ended the newer payload and time instead; one that is being
    carried out with the older payload is carried out once more.
    """
    statement = insert(connection, tasks).values(
        kind=kind,
        key=key,
        token=token or uuid.uuid4().hex,
        payload=payload,
        owner=owner,
        shard=shard,
        not_before=not_before or now,
        attempts=0,
        state=QUEUED,
        fence=0,
        added_at=now,
    )
    statement = statement.on_conflict_do_nothing(index_elements=["kind", "key"])
    if connection.execute(statement).rowcount == 1:
        return True
    if latest:
        connection.execute(
            update(tasks)
            .where(
                tasks.c.kind == kind,
                tasks.c.key == key,
                tasks.c.state.in_(OPEN_STATES),
            )
            .values(payload=payload, not_before=not_before or now)
        )
    return False


def claim(
    connection: Connection,
    *,
    now: datetime,
    limit: int,
    kinds: Sequence[str] | None = None,
    shards: Sequence[int] | None = None,
    owner: str | None = None,
    claim_seconds: float = CLAIM_SECONDS,
) -> list[Task]:
    """Take up to `limit` due tasks, oldest first, and return them with their new fence.

    Due are those that wait and whose time has come, and those whose worker let its claim run out.
    """
    chosen = _due(select(tasks.c.id), now=now, kinds=kinds, shards=shards, owner=owner)
    chosen = chosen.order_by(tasks.c.not_before, tasks.c.id).limit(limit)
    ids = list(connection.scalars(chosen.with_for_update(skip_locked=True)))
    if not ids:
        return []
    connection.execute(
        update(tasks)
        .where(tasks.c.id.in_(ids))
        .values(
            state=RUNNING,
            attempts=tasks.c.attempts + 1,
            fence=tasks.c.fence + 1,
            claimed_until=now + timedelta(seconds=claim_seconds),
        )
    )
    rows = connection.execute(
        select(tasks).where(tasks.c.id.in_(ids)).order_by(tasks.c.not_before, tasks.c.id)
    )
    return [_task_from_row(row) for row in rows]


def release_claims(connection: Connection, kinds: Sequence[str], *, now: datetime) -> int:
    """End every claim on tasks of these kinds now; return how many there were.

    Only for who knows that whoever claimed them is dead: their outcome counts as unknown.
    """
    ended = connection.execute(
        update(tasks)
        .where(
            tasks.c.kind.in_(kinds),
            tasks.c.state == RUNNING,
            tasks.c.claimed_until > now,
        )
        .values(claimed_until=now, fence=tasks.c.fence + 1)
    )
    return ended.rowcount


def any_due(
    connection: Connection,
    *,
    now: datetime,
    kinds: Sequence[str] | None = None,
    shards: Sequence[int] | None = None,
    owner: str | None = None,
) -> bool:
    """Return whether `claim` would find anything: a read, so that idle workers write nothing."""
    chosen = _due(select(tasks.c.id), now=now, kinds=kinds, shards=shards, owner=owner)
    return connection.execute(chosen.limit(1)).first() is not None


def finish(connection: Connection, task: Task, *, state: str, result: str | None = None) -> None:
    """Write down how a claimed task ended, or let it wait again if it was added anew.

    Raises FenceLost when the claim passed to another.
    """
    ended = connection.execute(
        _claimed(task)
        .where(tasks.c.payload == task.payload, tasks.c.not_before == task.not_before)
        .values(state=state, result=result, claimed_until=None)
    )
    if ended.rowcount != 1:
        _update_claimed(connection, task, state=QUEUED, result=None, claimed_until=None)


def put_back(
    connection: Connection, task: Task, *, not_before: datetime, reason: str | None = None
) -> None:
    """Let a claimed task wait again. Raises FenceLost when the claim passed to another."""
    _update_claimed(
        connection, task, state=QUEUED, result=reason, not_before=not_before, claimed_until=None
    )


def list_for(connection: Connection, owner: str) -> list[Task]:
    """Return every task of an owner (a decision's or a mailbox record's id), oldest first."""
    statement = select(tasks).where(tasks.c.owner == owner).order_by(tasks.c.id)
    return [_task_from_row(row) for row in connection.execute(statement)]


def list_states(connection: Connection, *, states: Sequence[str]) -> list[Task]:
    """Return every task in one of these states, oldest first."""
    statement = select(tasks).where(tasks.c.state.in_(states)).order_by(tasks.c.id)
    return [_task_from_row(row) for row in connection.execute(statement)]


def find(connection: Connection, *, kind: str, key: str) -> Task | None:
    """Return the task of that kind and key, if there is one."""
    row = connection.execute(
        select(tasks).where(tasks.c.kind == kind, tasks.c.key == key)
    ).one_or_none()
    return None if row is None else _task_from_row(row)


def count_by_state(connection: Connection) -> dict[tuple[str, str], int]:
    """Return how many tasks there are, by kind and state."""
    statement = select(tasks.c.kind, tasks.c.state, func.count()).group_by(
        tasks.c.kind, tasks.c.state
    )
    return {(kind, state): count for kind, state, count in connection.execute(statement)}


def _due(
    statement: Select[tuple[int]],
    *,
    now: datetime,
    kinds: Sequence[str] | None,
    shards: Sequence[int] | None,
    owner: str | None,
) -> Select[tuple[int]]:
    statement = statement.where(
        or_(
            and_(tasks.c.state == QUEUED, tasks.c.not_before <= now),
            and_(tasks.c.state == RUNNING, tasks.c.claimed_until <= now),
        )
    )
    if kinds is not None:
        statement = statement.where(tasks.c.kind.in_(kinds))
    if shards is not None:
        statement = statement.where(tasks.c.shard.in_(shards))
    if owner is not None:
        statement = statement.where(tasks.c.owner == owner)
    return statement


def _claimed(task: Task) -> Update:
    return update(tasks).where(
        tasks.c.id == task.id, tasks.c.fence == task.fence, tasks.c.state == RUNNING
    )


def _update_claimed(connection: Connection, task: Task, **values: Any) -> None:
    result = connection.execute(_claimed(task).values(**values))
    if result.rowcount != 1:
        raise FenceLost(f"Task {task.id} ({task.kind}) has passed to another worker.")


def _task_from_row(row: Row[Any]) -> Task:
    return Task(**row._mapping)
