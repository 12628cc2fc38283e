"""Every obligation. Deciding, carrying out, docs/tasks.md, metrics and tests walk this table."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from guard.consequences import Committed, Refusal
from guard.ledger.entry import NewTask
from guard.obligations.apply import Apply
from guard.obligations.examine import Examine
from guard.obligations.grant import Grant
from guard.obligations.notify import Notify
from guard.obligations.obligation import Means, Obligation
from guard.obligations.revert import Revert
from guard.obligations.tell_by_mail import TellByMail
from guard.obligations.tell_team import TellTeam
from kernel.shards import shard_of
from kernel.tasks import TaskPlace
from kernel.workers import Handler

OBLIGATIONS: tuple[type[Obligation[Any]], ...] = (
    Apply,
    Examine,
    Grant,
    Revert,
    Notify,
    TellTeam,
    TellByMail,
)
KINDS = tuple(one.kind for one in OBLIGATIONS)
TELLING = tuple(one.kind for one in OBLIGATIONS if one.only_tells)
MENDING = tuple(one.kind for one in OBLIGATIONS if not one.only_tells)


def owed_by(decided: Committed | Refusal, *, without: Collection[str] = ()) -> tuple[NewTask, ...]:
    """Return the tasks that a decision owes, at most one of each kind, `without` some. Pure."""
    found = []
    for one in OBLIGATIONS:
        if one.kind in without:
            continue
        if isinstance(decided, Refusal):
            owed = one.owed_by_refusal(decided)
        else:
            owed = one.owed_by(decided)
        if owed is not None:
            place = TaskPlace(shard_of(owed.record_id), one.lane(decided.case.source))
            found.append(NewTask(one.kind, decided.decision_id, owed.to_json(), place))
    return tuple(found)


def handlers(means: Means) -> dict[str, Handler]:
    """Return by kind what carries a task out."""
    return {one.kind: one(means).handle for one in OBLIGATIONS}
