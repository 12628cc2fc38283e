"""Tasks: durable effects, added in the transaction that decides on them, carried out afterwards.

    task        one effect: a kind, a key that is unique within it, a payload for its handler
    token       the text that a handler puts into what it makes, and looks up first when an earlier
                outcome is unknown (`attempts` above 1)
    owner       whose task it is: the id of a decision, or of a mailbox record
    subject     what it is about, where several tasks may be about the same
    epoch       of the approval under which it was added, where it hangs on one
    lane        the line in which it waits: those of one never keep those of another waiting
    claim       a worker's right to carry it out, for a while; it ends by itself
    fence       a number that rises with each claim, so that a late worker's answer fails

What a program decides by is `state`, `cause`, `epoch` and the moments; `result` and `hint` are for
people. docs/tasks.md tells the states and the ways between them.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Index,
    Integer,
    Row,
    Table,
    Text,
    UniqueConstraint,
    and_,
    case,
    func,
    literal,
    select,
    update,
)

from kernel.database import insert
from kernel.tables import BigKey, Instant, Json, Word, metadata
from kernel.words import DocumentedWord


class TaskState(DocumentedWord):
    """Where a task stands."""

    QUEUED = "queued", "It waits for its time; `cause` says why it waits again, if it was tried."
    RUNNING = "running", "A worker has claimed it and carries it out."
    DONE = "done", "Its effect is there."
    NEEDS_PERSON = "needs-person", "It has stopped: trying again does not help until a person acts."
    FAILED = "failed", "Its effect is no longer wanted, and it is not tried again."


class TaskCause(DocumentedWord):
    """Why a task waits again, or has stopped."""

    UNFINISHED = "unfinished", "Its handler could not end it yet, or its claim ran out."
    UNAVAILABLE = "unavailable", "Something needed is not there for now."
    THROTTLED = "throttled", "A service asked to wait, and said until when."
    UNEXPECTED = "unexpected", "An error that nobody expects; it stops after a few tries."
    RESTING = "resting", "What it is about rests: a person paused it, or another engine has it."
    SET_ASIDE = "set-aside", "Its item is in the quarantine; it is tried again at long intervals."
    REFUSED = "refused", "An error for which trying again does not help."
    BRAKE = "brake", "It is one of too many at once."
    WITHDRAWN = "withdrawn", "The approval that it hung on has ended."


# The lane of what nobody gave one of its own.
COMMON_LANE = "common"
OPEN_STATES = (TaskState.QUEUED, TaskState.RUNNING)
# What was tried and did not work; the others wait for what nobody tries to change.
TRYING = (
    TaskCause.UNFINISHED,
    TaskCause.UNAVAILABLE,
    TaskCause.THROTTLED,
    TaskCause.UNEXPECTED,
)

# What is still tried after so long says so.
OVERDUE = timedelta(days=1)

tasks = Table(
    "kernel_tasks",
    metadata,
    Column("id", BigKey, primary_key=True, autoincrement=True),
    Column("kind", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("token", Text, nullable=False),
    Column("payload", Json, nullable=False),
    Column("owner", Text, nullable=False),
    Column("subject", Text),
    Column("epoch", Integer),
    Column("shard", Integer, nullable=False),
    Column("lane", Text, nullable=False),
    Column("not_before", Instant, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("state", Word(TaskState), nullable=False),
    Column("cause", Word(TaskCause)),
    Column("result", Text),
    Column("error_code", Text),
    Column("hint", Text),
    Column("trying_since", Instant),
    Column("released_at", Instant),
    Column("fence", Integer, nullable=False),
    Column("claimed_until", Instant),
    Column("added_at", Instant, nullable=False),
    UniqueConstraint("kind", "key"),
    Index("ix_kernel_tasks_due", "state", "lane", "not_before"),
    Index("ix_kernel_tasks_owner", "owner"),
)


@dataclass(frozen=True, slots=True)
class Task:
    """One durable effect as its handler sees it.

    `trying_since` is when it first did not work, of the tries since it last waited for anything
    else; `released_at` when a person let it go on after a brake had stopped it.
    """

    id: int
    kind: str
    key: str
    token: str
    payload: dict[str, Any]
    owner: str
    subject: str | None
    epoch: int | None
    shard: int
    lane: str
    not_before: datetime
    attempts: int
    state: TaskState
    cause: TaskCause | None
    result: str | None
    error_code: str | None
    hint: str | None
    trying_since: datetime | None
    released_at: datetime | None
    fence: int
    claimed_until: datetime | None
    added_at: datetime

    def is_overdue(self, now: datetime) -> bool:
        """Return whether it has been tried in vain for a day or longer."""
        return self.trying_since is not None and now - self.trying_since >= OVERDUE


@dataclass(frozen=True, slots=True)
class TaskSubject:
    """What a task is about, where several may be, and the epoch of the approval it hangs on."""

    name: str
    epoch: int


@dataclass(frozen=True, slots=True)
class TaskPlace:
    """Who may carry a task out: the shard of its mailbox, and the lane in which it waits."""

    shard: int = 0
    lane: str = COMMON_LANE


ORDINARY_PLACE = TaskPlace()


@dataclass(frozen=True, slots=True)
class TaskReason:
    """Why a task waits again or stopped: the cause for programs, the rest for people."""

    cause: TaskCause
    text: str
    error_code: str | None = None
    hint: str | None = None


def add(
    connection: Connection,
    *,
    kind: str,
    key: str,
    payload: dict[str, Any],
    owner: str,
    now: datetime,
    not_before: datetime | None = None,
    subject: TaskSubject | None = None,
    place: TaskPlace = ORDINARY_PLACE,
    token: str | None = None,
) -> bool:
    """Add a task unless one of that kind and key exists; return whether it was added."""
    statement = insert(connection, tasks).values(
        kind=kind,
        key=key,
        token=token or uuid.uuid4().hex,
        payload=payload,
        owner=owner,
        subject=None if subject is None else subject.name,
        epoch=None if subject is None else subject.epoch,
        shard=place.shard,
        lane=place.lane,
        not_before=not_before or now,
        attempts=0,
        state=TaskState.QUEUED,
        fence=0,
        added_at=now,
    )
    statement = statement.on_conflict_do_nothing(index_elements=["kind", "key"])
    return connection.execute(statement).rowcount == 1


def renew(
    connection: Connection, *, kind: str, key: str, payload: dict[str, Any], not_before: datetime
) -> None:
    """Give a task that has not ended a newer payload and time.

    One that is being carried out with the older payload is carried out once more.
    """
    connection.execute(
        update(tasks)
        .where(tasks.c.kind == kind, tasks.c.key == key, tasks.c.state.in_(OPEN_STATES))
        .values(payload=payload, not_before=not_before)
    )


def release(
    connection: Connection,
    *,
    now: datetime,
    kinds: Sequence[str],
    owners: Collection[str] | None = None,
    epoch: int | None = None,
    causes: Collection[TaskCause] | None = None,
) -> int:
    """Let tasks that need a person go on, on a person's word; return how many there were.

    Named are their kinds and, unless all are meant, their owners, epoch and causes. Their attempts
    count on, so that what they may have made is looked up first. What a brake stopped keeps the
    moment, and is not stopped by it again.
    """
    chosen = _stopped(kinds=kinds, owners=owners, epoch=epoch, causes=causes)
    released = connection.execute(
        update(tasks)
        .where(chosen)
        .values(
            state=TaskState.QUEUED,
            not_before=now,
            released_at=case(
                (tasks.c.cause == TaskCause.BRAKE, literal(now, Instant())),
                else_=tasks.c.released_at,
            ),
            **NOTHING_KNOWN,
        )
    )
    return released.rowcount


def let_pass(connection: Connection, *, kind: str, key: str, now: datetime) -> None:
    """Say of a task that a person let it go on, whose brake was pulled before it was a task."""
    connection.execute(
        update(tasks).where(tasks.c.kind == kind, tasks.c.key == key).values(released_at=now)
    )


def supersede(
    connection: Connection,
    *,
    kind: str,
    owner: str,
    epoch: int,
    chosen: Callable[[Task], bool],
) -> list[Task]:
    """End those chosen of an owner's earlier epochs that are not done; return them as they were.

    Whoever calls adds anew, under the present epoch, what is still wanted of them.
    """
    rows = connection.execute(
        select(tasks).where(
            tasks.c.kind == kind,
            tasks.c.owner == owner,
            tasks.c.epoch < epoch,
            tasks.c.state.in_((TaskState.QUEUED, TaskState.NEEDS_PERSON)),
        )
    )
    found = [task for task in map(task_from_row, rows) if chosen(task)]
    for one in found:
        connection.execute(
            update(tasks)
            .where(tasks.c.id == one.id)
            .values(state=TaskState.FAILED, cause=TaskCause.WITHDRAWN, hint=None)
        )
    return found


def any_stopped(
    connection: Connection,
    *,
    kinds: Sequence[str],
    owners: Collection[str] | None = None,
    epoch: int | None = None,
    causes: Collection[TaskCause] | None = None,
) -> bool:
    """Return whether `release` would find anything: a read, as idle work writes nothing."""
    chosen = _stopped(kinds=kinds, owners=owners, epoch=epoch, causes=causes)
    return connection.execute(select(tasks.c.id).where(chosen).limit(1)).first() is not None


def list_for(connection: Connection, owner: str) -> list[Task]:
    """Return every task of an owner (a decision's or a mailbox record's id), oldest first."""
    statement = select(tasks).where(tasks.c.owner == owner).order_by(tasks.c.id)
    return [task_from_row(row) for row in connection.execute(statement)]


def list_states(connection: Connection, *, states: Sequence[TaskState]) -> list[Task]:
    """Return every task in one of these states, oldest first."""
    statement = select(tasks).where(tasks.c.state.in_(states)).order_by(tasks.c.id)
    return [task_from_row(row) for row in connection.execute(statement)]


def find(connection: Connection, *, kind: str, key: str) -> Task | None:
    """Return the task of that kind and key, if there is one."""
    row = connection.execute(
        select(tasks).where(tasks.c.kind == kind, tasks.c.key == key)
    ).one_or_none()
    return None if row is None else task_from_row(row)


@dataclass(frozen=True, slots=True)
class TaskCounts:
    """How many tasks there are, by kind and state, and how many of each kind are overdue."""

    by_state: dict[tuple[str, TaskState], int]
    overdue: dict[str, int]


def count_all(connection: Connection, *, now: datetime) -> TaskCounts:
    """Return how many tasks there are."""
    return TaskCounts(count_by_state(connection), count_overdue(connection, now=now))


def count_by_state(connection: Connection) -> dict[tuple[str, TaskState], int]:
    """Return how many tasks there are, by kind and state."""
    statement = select(tasks.c.kind, tasks.c.state, func.count()).group_by(
        tasks.c.kind, tasks.c.state
    )
    return {(kind, state): count for kind, state, count in connection.execute(statement)}


def count_overdue(connection: Connection, *, now: datetime) -> dict[str, int]:
    """Return how many tasks have been tried in vain for a day or longer, by kind."""
    statement = (
        select(tasks.c.kind, func.count())
        .where(tasks.c.state.in_(OPEN_STATES), tasks.c.trying_since <= now - OVERDUE)
        .group_by(tasks.c.kind)
    )
    return {kind: count for kind, count in connection.execute(statement)}


def count_braked(connection: Connection) -> dict[str, int]:
    """Return how many tasks a brake has stopped, by kind."""
    statement = (
        select(tasks.c.kind, func.count())
        .where(tasks.c.state == TaskState.NEEDS_PERSON, tasks.c.cause == TaskCause.BRAKE)
        .group_by(tasks.c.kind)
    )
    return {kind: count for kind, count in connection.execute(statement)}


NOTHING_KNOWN: dict[str, Any] = dict.fromkeys(
    ("cause", "result", "error_code", "hint", "trying_since")
)


def _stopped(
    *,
    kinds: Sequence[str],
    owners: Collection[str] | None,
    epoch: int | None,
    causes: Collection[TaskCause] | None,
) -> ColumnElement[bool]:
    conditions = [tasks.c.state == TaskState.NEEDS_PERSON, tasks.c.kind.in_(kinds)]
    if owners is not None:
        conditions.append(tasks.c.owner.in_(owners))
    if epoch is not None:
        conditions.append(tasks.c.epoch == epoch)
    if causes is not None:
        conditions.append(tasks.c.cause.in_(causes))
    return and_(*conditions)


def task_from_row(row: Row[Any]) -> Task:
    """Return the task that a row of the table is."""
    return Task(**row._mapping)
