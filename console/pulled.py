"""Which brakes are pulled, and how much each has stopped."""

from __future__ import annotations

from collections import Counter

from sqlalchemy import Connection

from guard.obligations.revert import Revert
from guard.obligations.revert_brake import REVERTS
from kernel import stops, tasks
from sync.engine.verifying import REMOVALS
from sync.store import streams


def count_stopped(connection: Connection) -> Counter[tuple[str, str]]:
    """Return how many things each brake has stopped, by its name and its scope.

    Rows, tasks and streams: whatever waits for a person's word, wherever that is written down.
    """
    found = Counter((one.brake, one.scope) for one in stops.list_all(connection))
    for kind, count in tasks.count_braked(connection).items():
        found[REVERTS.name if kind == Revert.kind else REMOVALS.name, ""] += count
    for name, count in streams.count_braked(connection).items():
        found[name, ""] += count
    return found
