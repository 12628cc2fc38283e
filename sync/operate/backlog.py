"""The backlog: what keeps a mailbox whose visit went well from being all in Dataverse.

Read from the tasks and the quarantine when somebody looks: written nowhere, it is never out of date
and costs an idle cycle nothing.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from sqlalchemy import Connection, Text, cast, func, literal, select

from kernel import work
from kernel.approvals import approvals
from sync.engine.intent import ASKED_TO_WAIT
from sync.registry import CREATE_KINDS
from sync.store import quarantine
from sync.store.mailboxes import FAILING, SYNCED, THROTTLED
from sync.store.tables import quarantine as set_aside


@dataclass(frozen=True, slots=True)
class BacklogState:
    """The state of a mailbox in one word, and the reason."""

    state: str
    reason: str


def list_all(connection: Connection, record_id: str | None = None) -> dict[str, BacklogState]:
    """Return the backlogs there are, by record id; of one mailbox only, if it is named."""
    waiting = _waiting(connection, record_id)
    quarantined = _quarantined(connection, record_id)
    return {
        one: _state_of(one, waiting.get(one, {}), quarantined.get(one, 0))
        for one in waiting.keys() | quarantined.keys()
    }


def _state_of(record_id: str, waiting: dict[str, int], quarantined: int) -> BacklogState:
    sentences = []
    state = SYNCED
    if waiting:
        asked_to_wait = all(reason.startswith(ASKED_TO_WAIT) for reason in waiting)
        state = THROTTLED if asked_to_wait else FAILING
        count = sum(waiting.values())
        most = max(waiting, key=lambda reason: waiting[reason]).removeprefix(ASKED_TO_WAIT)
        wait = "1 mail waits" if count == 1 else f"{count} mails wait"
        sentences.append(f"{wait} to be written: {most.rstrip('.')}.")
    if quarantined:
        are = "1 mail is" if quarantined == 1 else f"{quarantined} mails are"
        sentences.append(
            f"{are} quarantined: `mailbox-guard mailboxes show {record_id}` tells why."
        )
    return BacklogState(state, " ".join(sentences))


def _waiting(connection: Connection, record_id: str | None) -> dict[str, dict[str, int]]:
    """Count the mails that wait after a try that failed: by mailbox, by reason.

    What waits under an approval that has ended is not for the present one to explain.
    """
    tasks = work.tasks
    statement = (
        select(tasks.c.owner, tasks.c.result, func.count())
        .join(approvals, approvals.c.record_id == tasks.c.owner)
        .where(
            tasks.c.kind.in_(CREATE_KINDS),
            tasks.c.state.in_(work.OPEN_STATES),
            tasks.c.result.is_not(None),
            tasks.c.key.like(literal("%/") + cast(approvals.c.epoch, Text)),
            tasks.c.key.not_in(quarantine.task_keys()),
        )
        .group_by(tasks.c.owner, tasks.c.result)
    )
    if record_id is not None:
        statement = statement.where(tasks.c.owner == record_id)
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for owner, reason, count in connection.execute(statement):
        found[owner][reason] = count
    return found


def _quarantined(connection: Connection, record_id: str | None) -> dict[str, int]:
    statement = select(set_aside.c.record_id, func.count()).group_by(set_aside.c.record_id)
    if record_id is not None:
        statement = statement.where(set_aside.c.record_id == record_id)
    return {one: count for one, count in connection.execute(statement)}
