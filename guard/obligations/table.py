"""Every obligation. Deciding, carrying out, docs/tasks.md, metrics and tests walk this table."""

from __future__ import annotations

from typing import Any

from guard.case import lane_of
from guard.consequences import Committed
from guard.ledger.entry import NewTask
from guard.obligations.examine import Examine
from guard.obligations.grant import Grant
from guard.obligations.obligation import Means, Obligation
from guard.obligations.revert import Revert
from kernel.shards import shard_of
from kernel.tasks import TaskPlace
from kernel.workers import Handler

OBLIGATIONS: tuple[type[Obligation[Any]], ...] = (
    Examine,
    Grant,
    Revert,
)
KINDS = tuple(one.kind for one in OBLIGATIONS)


def owed_by(committed: Committed) -> tuple[NewTask, ...]:
    """Return the tasks that a decision owes, at most one of each kind. Pure."""
    lane = lane_of(committed.case.source)
    asked = ((one.kind, one.owed_by(committed)) for one in OBLIGATIONS)
    return tuple(
        NewTask(
            kind,
            committed.decision_id,
            owed.to_json(),
            TaskPlace(shard_of(owed.record_id), lane),
        )
        for kind, owed in asked
        if owed is not None
    )


def handlers(means: Means) -> dict[str, Handler]:
    """Return by kind what carries a task out."""
    return {one.kind: one(means).handle for one in OBLIGATIONS}
