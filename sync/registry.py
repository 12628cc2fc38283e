"""Which workloads there are: one line each.

Wiring opens each of them over the live services; what people see of tasks, and the page about
tasks, walk the same list.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sync.engine.intent import task_kind
from sync.engine.workload import Clients, Workload
from sync.mail.workload import MailWorkload
from sync.model.plan import IntentKind

WORKLOADS = (
    MailWorkload,
)  # fmt: skip

KINDS = tuple(task_kind(one.name, kind) for one in WORKLOADS for kind in IntentKind)
"""Every kind of task that the sync adds."""
CREATE_KINDS = tuple(task_kind(one.name, IntentKind.CREATE) for one in WORKLOADS)
NOUNS = {one.name: one.noun for one in WORKLOADS}
"""What one item of each workload is called."""


def open_workloads(clients: Clients) -> Sequence[Workload[Any]]:
    """Return every workload over the live services."""
    return [one.over(clients) for one in WORKLOADS]
