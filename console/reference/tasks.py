"""docs/tasks.md: every kind of task, the states of a task, and the ways between them."""

from __future__ import annotations

from collections.abc import Iterable

from console.reference.table import table
from guard.obligations.table import OBLIGATIONS
from kernel.claims import CLAIM_SECONDS
from kernel.tasks import OVERDUE, TaskCause, TaskState
from kernel.words import DocumentedWord
from kernel.workers import FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS, MOST_UNEXPECTED
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
_SUPPLEMENT = "What could not be had when an item was written is asked for again, a few times."

MEANINGS = {one.kind: one.doc for one in OBLIGATIONS} | {
    **{task_kind(one.name, IntentKind.CREATE): one.effect for one in WORKLOADS},
    **{task_kind(one.name, IntentKind.VERIFY): _VERIFY for one in WORKLOADS},
    **{task_kind(one.name, IntentKind.SUPPLEMENT): _SUPPLEMENT for one in WORKLOADS},
}
"""Every kind of task with what it does; a test walks the kinds that the rooms add."""

_WAYS = f"""
## From state to state

```text
            added                claimed                its effect is there
              │                     │                           │
              ▼                     ▼                           ▼
          ┌────────┐   claim   ┌─────────┐    finish       ┌────────┐
          │ queued │──────────▶│ running │────────────────▶│  done  │
          └────────┘           └─────────┘                 └────────┘
            ▲    ▲   put back    │  │  │   no longer wanted ┌────────┐
            │    └───────────────┘  │  └───────────────────▶│ failed │
            │                       │ cannot come right by itself
            │      a person's word  ▼                       └────────┘
            │                ┌──────────────┐
            └────────────────│ needs-person │
                             └──────────────┘
```

- A task is `queued` when it is added, and may be claimed once its time (`not_before`) has come.
- Tasks wait in *lanes*, and those of one never keep those of another waiting: what the guard owes
  for what reconciliation saw has a lane, and requests, of its own, since anybody who has the
  webhook key can make the common one as long as they like.
- A claim lasts {CLAIM_SECONDS:g} seconds. A worker that dies or hangs loses it, and the task is
  claimed again; what it may have made is looked up by its token first, and nothing is sent twice.
- What can come right by itself is put back, with its cause. The wait doubles from
  {FIRST_WAIT_SECONDS:g} seconds up to an hour ({LONGEST_WAIT_SECONDS:g} seconds), or is as long as
  the service asked for. There is no spread in it: how much is asked of a service at once is bounded
  where it is asked.
- What was tried in vain for a day ({OVERDUE.days * 24} hours) is *overdue*. It is still tried, once
  an hour, and says so: `task_overdue` in the log, `mailbox_guard_tasks_overdue`, and the reason of
  its mailbox.
- An error for which trying again does not help, by [its class](errors.md), makes it `needs-person`
  at once, with reason and mend; one that nobody expects does so after {MOST_UNEXPECTED} tries.
- What was refused (cause `refused`) is shown as needing a person and taken up again once an hour,
  so that a right that was given, or a secret that was renewed, heals what it had stopped.
- A person lets it go on when the cause is mended: `mailbox-guard decisions retry ID` for
  obligations, `mailbox-guard mailboxes resume ID` for the tasks of a mailbox. `sync run --once`
  tries all of them but those that a [brake](operations.md#the-brakes) stopped.
- A task whose approval has ended is `failed`: the next approval brings tasks of its own.

## Why a task waits or has stopped

"""


def tasks_page() -> str:
    """Return docs/tasks.md."""
    return (
        _HEAD
        + table(("kind", "what it does"), ((f"`{k}`", text) for k, text in MEANINGS.items()))
        + "\n"
        + table(("state", "meaning"), _words(TaskState))
        + _WAYS
        + table(("cause", "meaning"), _words(TaskCause))
    )


def _words(words: Iterable[DocumentedWord]) -> Iterable[tuple[str, str]]:
    return ((f"`{word}`", word.doc) for word in words)
