"""Claims: a worker's right to carry out a task, for a while, and how it gives the task back.

A claim ends by itself, so that the tasks of a dead worker are taken up again; the fence that rises
with each claim makes the late worker's answer fail (law 9).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Update, and_, or_, select, update

from kernel.errors import FenceLost
from kernel.tasks import (
    COMMON_LANE,
    NOTHING_KNOWN,
    OPEN_STATES,
    TRYING,
    Task,
    TaskCause,
    TaskReason,
    TaskState,
    task_from_row,
    tasks,
)

CLAIM_SECONDS = 120.0


def claim(
    connection: Connection,
    *,
    now: datetime,
    limit: int,
    lane: str = COMMON_LANE,
    kinds: Sequence[str] | None = None,
    shards: Sequence[int] | None = None,
    owner: str | None = None,
    claim_seconds: float = CLAIM_SECONDS,
) -> list[Task]:
    """Take up to `limit` due tasks of a lane, oldest first, and return them with their new fence.

    Due are those that wait and whose time has come, those whose worker let its claim run out, and
    those that were refused, once an hour: whoever mends a credential or a right need not tell.
    """
    chosen = _due(select(tasks.c.id), now=now, lane=lane, kinds=kinds, shards=shards, owner=owner)
    chosen = chosen.order_by(tasks.c.not_before, tasks.c.id).limit(limit)
    ids = list(connection.scalars(chosen.with_for_update(skip_locked=True)))
    if not ids:
        return []
    connection.execute(
        update(tasks)
        .where(tasks.c.id.in_(ids))
        .values(
            state=TaskState.RUNNING,
            attempts=tasks.c.attempts + 1,
            fence=tasks.c.fence + 1,
            claimed_until=now + timedelta(seconds=claim_seconds),
        )
    )
    rows = connection.execute(
        select(tasks).where(tasks.c.id.in_(ids)).order_by(tasks.c.not_before, tasks.c.id)
    )
    return [task_from_row(row) for row in rows]


def any_due(
    connection: Connection,
    *,
    now: datetime,
    lane: str = COMMON_LANE,
    kinds: Sequence[str] | None = None,
    shards: Sequence[int] | None = None,
    owner: str | None = None,
) -> bool:
    """Return whether `claim` would find anything: a read, so that idle workers write nothing."""
    chosen = _due(select(tasks.c.id), now=now, lane=lane, kinds=kinds, shards=shards, owner=owner)
    return connection.execute(chosen.limit(1)).first() is not None


def release_claims(connection: Connection, kinds: Sequence[str], *, now: datetime) -> int:
    """End every claim on tasks of these kinds now; return how many there were.

    Only for who knows that whoever claimed them is dead: their outcome counts as unknown.
    """
    ended = connection.execute(
        update(tasks)
        .where(
            tasks.c.kind.in_(kinds),
            tasks.c.state == TaskState.RUNNING,
            tasks.c.claimed_until > now,
        )
        .values(claimed_until=now, fence=tasks.c.fence + 1)
    )
    return ended.rowcount


def change_lane(
    connection: Connection,
    owners: Collection[str],
    *,
    lane: str,
    kinds: Collection[str],
    now: datetime,
) -> int:
    """Let what is open of these owners go on in that lane, now; return how many tasks there were.

    Whoever carries one out in another lane loses it, and its wait there ends: it was that of a
    share which others have used up.
    """
    changed = connection.execute(
        update(tasks)
        .where(_elsewhere(owners, lane, kinds))
        .values(
            lane=lane,
            state=TaskState.QUEUED,
            not_before=now,
            claimed_until=None,
            fence=tasks.c.fence + 1,
        )
    )
    return changed.rowcount


def any_elsewhere(
    connection: Connection, owners: Collection[str], *, lane: str, kinds: Collection[str]
) -> bool:
    """Return whether `change_lane` would find anything: a read, as idle work writes nothing."""
    chosen = select(tasks.c.id).where(_elsewhere(owners, lane, kinds)).limit(1)
    return connection.execute(chosen).first() is not None


def finish(connection: Connection, task: Task, *, result: str | None = None) -> None:
    """Write down that the effect is there, or let the task wait again if it was added anew.

    Raises FenceLost when the claim passed to another.
    """
    _end(connection, task, state=TaskState.DONE, result=result)


def stop(
    connection: Connection,
    task: Task,
    state: TaskState,
    why: TaskReason,
    *,
    look_again_at: datetime | None = None,
) -> None:
    """Write down that the task needs a person or has failed, or let it wait if it was added anew.

    One that was refused is taken up again at `look_again_at`; meanwhile it needs a person.
    Raises FenceLost when the claim passed to another.
    """
    _end(
        connection,
        task,
        state=state,
        result=why.text,
        cause=why.cause,
        error_code=why.error_code,
        hint=why.hint,
        not_before=look_again_at or task.not_before,
    )


def put_back(
    connection: Connection, task: Task, why: TaskReason, *, not_before: datetime, now: datetime
) -> None:
    """Let a claimed task wait again. Raises FenceLost when the claim passed to another."""
    is_trying = why.cause in TRYING
    _update_claimed(
        connection,
        task,
        state=TaskState.QUEUED,
        result=why.text,
        cause=why.cause,
        error_code=why.error_code,
        hint=why.hint,
        trying_since=(task.trying_since or now) if is_trying else None,
        not_before=not_before,
        claimed_until=None,
    )


def _due(
    statement: Select[tuple[int]],
    *,
    now: datetime,
    lane: str,
    kinds: Sequence[str] | None,
    shards: Sequence[int] | None,
    owner: str | None,
) -> Select[tuple[int]]:
    statement = statement.where(
        or_(
            and_(tasks.c.state == TaskState.QUEUED, tasks.c.not_before <= now),
            and_(tasks.c.state == TaskState.RUNNING, tasks.c.claimed_until <= now),
            and_(
                tasks.c.state == TaskState.NEEDS_PERSON,
                tasks.c.cause == TaskCause.REFUSED,
                tasks.c.not_before <= now,
            ),
        )
    )
    statement = statement.where(tasks.c.lane == lane)
    if kinds is not None:
        statement = statement.where(tasks.c.kind.in_(kinds))
    if shards is not None:
        statement = statement.where(tasks.c.shard.in_(shards))
    if owner is not None:
        statement = statement.where(tasks.c.owner == owner)
    return statement


def _elsewhere(owners: Collection[str], lane: str, kinds: Collection[str]) -> ColumnElement[bool]:
    return and_(
        tasks.c.owner.in_(owners),
        tasks.c.kind.in_(kinds),
        tasks.c.state.in_(OPEN_STATES),
        tasks.c.lane != lane,
    )


def _end(connection: Connection, task: Task, **values: Any) -> None:
    # What was added anew meanwhile has another payload or time, and is carried out once more.
    ended = connection.execute(
        _claimed(task)
        .where(tasks.c.payload == task.payload, tasks.c.not_before == task.not_before)
        .values(**{**NOTHING_KNOWN, **values, "claimed_until": None})
    )
    if ended.rowcount != 1:
        _update_claimed(
            connection, task, state=TaskState.QUEUED, claimed_until=None, **NOTHING_KNOWN
        )


def _update_claimed(connection: Connection, task: Task, **values: Any) -> None:
    result = connection.execute(_claimed(task).values(**values))
    if result.rowcount != 1:
        raise FenceLost(f"Task {task.id} ({task.kind}) has passed to another worker.")


def _claimed(task: Task) -> Update:
    return update(tasks).where(
        tasks.c.id == task.id, tasks.c.fence == task.fence, tasks.c.state == TaskState.RUNNING
    )
