"""What keeps a mailbox that was visited without trouble from being all in Dataverse.

Read from the tasks and the quarantine when somebody looks: written nowhere, it is never out of date
and costs an idle cycle nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, and_, func, or_, select

from kernel.approvals import approvals
from kernel.tasks import OPEN_STATES, OVERDUE, TaskCause, TaskState, tasks
from sync.registry import CREATE_KINDS, KINDS
from sync.store import quarantine
from sync.store.tables import SyncState
from sync.store.tables import quarantine as set_aside


@dataclass(frozen=True, slots=True)
class BacklogState:
    """The state of a mailbox in one word, and the reason."""

    state: SyncState
    reason: str


@dataclass(frozen=True, slots=True)
class _Left:
    """Tasks of one mailbox that were tried and are not done, as many as are alike."""

    state: TaskState
    cause: TaskCause | None
    reason: str
    hint: str | None
    count: int
    trying_since: datetime | None


def list_all(
    connection: Connection, record_id: str | None = None, *, now: datetime
) -> dict[str, BacklogState]:
    """Return the backlogs there are, by record id; of one mailbox only, if it is named."""
    left = _left(connection, record_id)
    quarantined = _quarantined(connection, record_id)
    return {
        one: _state_of(one, left.get(one, []), quarantined.get(one, 0), now=now)
        for one in left.keys() | quarantined.keys()
    }


def _state_of(
    record_id: str, left: Sequence[_Left], quarantined: int, *, now: datetime
) -> BacklogState:
    waiting = [one for one in left if one.state in OPEN_STATES]
    stopped = [one for one in left if one.state is TaskState.NEEDS_PERSON]
    sentences = []
    if waiting:
        sentences.append(_waiting_sentence(waiting, now=now))
    if stopped:
        sentences.append(_stopped_sentence(record_id, stopped))
    if quarantined:
        are = "1 mail is" if quarantined == 1 else f"{quarantined} mails are"
        sentences.append(
            f"{are} quarantined: `mailbox-guard mailboxes show {record_id}` tells why."
        )
    return BacklogState(_state(waiting, stopped), " ".join(sentences))


def _state(waiting: Sequence[_Left], stopped: Sequence[_Left]) -> SyncState:
    """Return the state that asks the most of people."""
    if any(one.cause is TaskCause.BRAKE for one in stopped):
        return SyncState.BRAKE
    if stopped or any(one.cause is not TaskCause.THROTTLED for one in waiting):
        return SyncState.FAILING
    return SyncState.THROTTLED if waiting else SyncState.SYNCED


def _waiting_sentence(waiting: Sequence[_Left], *, now: datetime) -> str:
    count = sum(one.count for one in waiting)
    wait = "1 mail waits" if count == 1 else f"{count} mails wait"
    long = [one for one in waiting if one.trying_since and now - one.trying_since >= OVERDUE]
    since = " for more than a day" if long else ""
    return f"{wait} to be written{since}: {_most(waiting).reason.rstrip('.')}."


def _stopped_sentence(record_id: str, stopped: Sequence[_Left]) -> str:
    count, most = sum(one.count for one in stopped), _most(stopped)
    need = "1 mail needs" if count == 1 else f"{count} mails need"
    mend = f" {most.hint}" if most.hint else ""
    again = f"Then `mailbox-guard mailboxes resume {record_id}` tries again."
    return f"{need} a person: {most.reason.rstrip('.')}.{mend} {again}"


def _most(left: Sequence[_Left]) -> _Left:
    return max(left, key=lambda one: one.count)


def _left(connection: Connection, record_id: str | None) -> dict[str, list[_Left]]:
    """Count the mails that wait after a try that did not work, or have stopped, by mailbox.

    What is left under an approval that has ended is not for the present one to explain.
    """
    is_set_aside = and_(tasks.c.kind.in_(CREATE_KINDS), tasks.c.subject.in_(quarantine.subjects()))
    waits = and_(
        tasks.c.kind.in_(CREATE_KINDS),
        tasks.c.state.in_(OPEN_STATES),
        tasks.c.cause.is_not(None),
    )
    alike = (tasks.c.state, tasks.c.cause, tasks.c.result, tasks.c.hint)
    statement = (
        select(tasks.c.owner, *alike, func.count(), func.min(tasks.c.trying_since))
        .join(approvals, approvals.c.record_id == tasks.c.owner)
        .where(
            tasks.c.kind.in_(KINDS),
            or_(waits, tasks.c.state == TaskState.NEEDS_PERSON),
            tasks.c.epoch == approvals.c.epoch,
            ~is_set_aside,
        )
        .group_by(tasks.c.owner, *alike)
    )
    if record_id is not None:
        statement = statement.where(tasks.c.owner == record_id)
    found: dict[str, list[_Left]] = defaultdict(list)
    for owner, state, cause, reason, hint, count, since in connection.execute(statement):
        found[owner].append(_Left(state, cause, reason or "", hint, count, since))
    return found


def _quarantined(connection: Connection, record_id: str | None) -> dict[str, int]:
    statement = select(set_aside.c.record_id, func.count()).group_by(set_aside.c.record_id)
    if record_id is not None:
        statement = statement.where(set_aside.c.record_id == record_id)
    return {one: count for one, count in connection.execute(statement)}
