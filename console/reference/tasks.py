"""docs/tasks.md: every kind of task, and the states that a task may be in."""

from __future__ import annotations

from console.reference.table import table
from guard.obligations.table import OBLIGATIONS
from kernel import work

_HEAD = """\
# Tasks

A task is a durable effect: it is added in the transaction that decides on it and carried out
afterwards, again after a crash if need be. The guard's tasks are *obligations* of a decision and
stand in `mailbox-guard decisions show`; the sync's are *intents* and stand in
`mailbox-guard mailboxes show`.

"""

MEANINGS = {one.kind: one.doc for one in OBLIGATIONS} | {
    "sync.create": "A mail becomes an email row in Dataverse: row, attachments, status.",
    "sync.verify": "A removal that Exchange reported is verified by reading the item.",
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
