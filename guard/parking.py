"""Whether a change that rules hold is parked, and until when: pure.

Parked is what somebody could release: nobody releases what nobody is known to have asked for, and
what only we ourselves could have done is nobody's to ask for. How much is parked is bounded, for
each requester and in all, so that whoever has the webhook key can't fill the database.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from guard.case import Case
from guard.judge import Judged, held_change
from guard.ledger.parked import HeldChange, NewHold, NotParked, OpenHolds
from kernel.ids import new_id
from rules.engine.policy_set import PolicySet
from rules.model.decision import Outcome
from rules.policy.policy import ANY_APPROVER, ReleaseTerms

MOST_OF_REQUESTER = 20
MOST_IN_ALL = 2000
MOST_CHARACTERS = 64_000
MOST_RULES = 100


def asked_change(case: Case, judged: Judged) -> HeldChange | None:
    """Return the change as its requester asked for it; None when nobody is known to have."""
    requester_id = judged.attributed_to or case.initiating_user_id
    if requester_id is None or judged.identities.keys().isdisjoint({requester_id}):
        return None
    return held_change(judged.change, requester_id, case.on_behalf_by)


def holding_rules(judged: Judged) -> tuple[str, ...]:
    """Return the ids of the rules that hold a change."""
    findings = judged.decision.findings
    return tuple(sorted({one.id for one in findings if one.contributes is Outcome.HOLD}))


def terms_of(policy_set: PolicySet, table: str, rules: Iterable[str]) -> list[ReleaseTerms]:
    """Return who may release what each of these rules holds, and how long it waits for them."""
    found = (policy_set.rule(table, one) for one in rules)
    return [ANY_APPROVER if one is None else one.release for one in found]


def parked(
    change: HeldChange, judged: Judged, known: OpenHolds, *, hold_hours: float, now: datetime
) -> NewHold | NotParked:
    """Return the hold of a change, or why it is not parked.

    It ends after the shortest term that a holding rule names, else after `hold_hours`.
    """
    rules = holding_rules(judged)
    if len(change.text) > MOST_CHARACTERS or len(rules) > MOST_RULES:
        return NotParked.TOO_LARGE
    if known.same is None and known.of_requester >= MOST_OF_REQUESTER:
        return NotParked.TOO_MANY_OF_REQUESTER
    if known.same is None and known.in_all >= MOST_IN_ALL:
        return NotParked.TOO_MANY
    terms = terms_of(judged.policy_set, change.table, rules)
    hours = min((float(one.hours) for one in terms if one.hours is not None), default=hold_hours)
    return NewHold(
        id=known.same or new_id(now),
        change=change,
        rules=rules,
        identities=judged.identities,
        ends_at=now + timedelta(hours=hours),
    )
