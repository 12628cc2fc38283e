"""docs/tasks.md: every kind of task, and the states that a task may be in."""

from __future__ import annotations

from console.reference.table import table
from kernel import work
from sync.engine.intent import task_kind
from sync.model.plan import IntentKind
from sync.registry import WORKLOADS

_HEAD = """\
# Tasks

A task is a durable effect: it is added in the transaction that decides on it and carried out
afterwards, again after a crash if need be. The guard's tasks are *obligations* of a decision and
stand in `mailbox-guard decisions show`; the sync's are *intents* and stand in
`mailbox-guard mailboxes show`.

"""

_VERIFY = "A removal that the source reported is verified by reading the item."

MEANINGS = {
    "examine": "A committed row that could not be judged from its delivery is read and judged.",
    "grant": "An approved row is read back from Dataverse, and its mailbox is granted.",
    "revert": "The guarded columns that a rejected change altered get their old values back.",
    **{task_kind(one.name, IntentKind.CREATE): one.effect for one in WORKLOADS},
    **{task_kind(one.name, IntentKind.VERIFY): _VERIFY for one in WORKLOADS},
}
"""Every kind of task with what it does; a test walks the kinds that the rooms add."""

STATES = {
    work.QUEUED: "It waits for its time.",
    work.RUNNING: "A worker has claimed it.",
    work.DONE: "Its effect is there.",
    work.NEEDS_PERSON: "It stopped and says why; a person must act.",
    work.FAILED: "It cannot be done and is not tried again.",
}


def tasks_page() -> str:
    """Return docs/tasks.md."""
    return (
        _HEAD
        + table(("kind", "what it does"), ((f"`{k}`", text) for k, text in MEANINGS.items()))
        + "\n"
        + table(("state", "meaning"), ((f"`{state}`", text) for state, text in STATES.items()))
    )
