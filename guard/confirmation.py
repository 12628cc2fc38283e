"""Which allowed decision a committed change confirms, if any.

A committed change matches a decision only if it was allowed, record, actor and the after-values of
all guarded columns are equal, and every column that was altered began with the same value: an edit
that changed nothing is no pass for a later one that does. A decision confirms one change: whoever
repeats an old edit past the synchronous step is judged anew.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from guard.columns.change import GuardedChange
from guard.columns.compare import is_same_change
from guard.ledger.entry import Recorded
from guard.ledger.port import ALLOWED, Ledger
from rules.model.change import Change
from rules.model.decision import Decision, Outcome
from rules.replay.ledger_format import finding_from

CONFIRMED_WITHIN = timedelta(hours=24)
_JUDGED = ("rules", "no-policy", "error")


async def decision_confirmed_by(
    change: GuardedChange,
    *,
    actor_id: str | None,
    on_behalf_by: str | None = None,
    ledger: Ledger,
    now: datetime,
) -> Recorded | None:
    """Return the synchronous decision that allowed exactly this change and was not used yet."""
    earlier = await ledger.decisions_on(change.record_id, since=now - CONFIRMED_WITHIN)
    used = {one.public.get("confirms") for one in earlier}
    for one in earlier:
        # The same values from somebody else are another change: what was allowed was allowed to
        # one, or to one in the name of another.
        acted = one.public.get("initiating_user_id"), one.public.get("on_behalf_by")
        is_theirs = actor_id is not None and acted == (actor_id, on_behalf_by)
        if is_theirs and one.id not in used and _allowed(one, change.change):
            return one
    return None


def _allowed(one: Recorded, change: Change) -> bool:
    stated = one.public
    # What was masked can no longer be compared, so it confirms nothing.
    if one.private is None or stated.get("mode") != 0:
        return False
    if one.decision not in ALLOWED or one.cause not in _JUDGED:
        return False
    if one.table != change.table or stated.get("operation") != change.operation:
        return False
    return is_same_change(change.table, (one.before, one.after), (change.before, change.after))


def decision_of(recorded: Recorded) -> Decision:
    """Return the decision that a record holds, to be followed without being made again."""
    findings = tuple(finding_from(one) for one in (recorded.private or {}).get("findings", ()))
    return Decision(Outcome(recorded.decision), "rules", findings)


def actor_of(recorded: Recorded) -> str | None:
    """Return who made the change that a record is about."""
    actor = recorded.public.get("initiating_user_id")
    return actor if isinstance(actor, str) else None
