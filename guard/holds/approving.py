"""Releasing what is held: by another person, whom the policies let, with facts looked up anew.

A rejection still wins, whatever an approver says. What the release leads to is a pass for the
requester's own edit, or our own write (`Settlement`); both last for an hour.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from guard.case import Case
from guard.columns.change import GuardedChange
from guard.errors import HoldChanged, HoldEnded, ReleaseRefused
from guard.facts.holders import names_of
from guard.held_row import change_now, standing_of
from guard.holds.refusing import ended, written
from guard.holds.showing import find_hold, show_hold
from guard.judge import Judged
from guard.ledger import holds
from guard.ledger.parked import (
    FROM_RELEASE,
    Hold,
    HoldState,
    Released,
    Settled,
)
from guard.obligations.obligation import Means
from guard.parking import holding_rules, terms_of
from guard.ports.directory import Person
from guard.receive.delivery import SYNCHRONOUS
from guard.record import RELEASED, OfHold
from kernel.errors import Conflict, Unavailable
from kernel.failpoints import failpoint
from kernel.log import get_logger
from kernel.principal import AppRole, Principal, Proof
from rules.model.decision import Outcome
from rules.operators.fields import fold
from rules.policy.policy import ReleaseTerms

SUPERSEDED = failpoint("guard.hold-superseded", "A hold ends, as its row is another by now.")
USABLE_FOR = timedelta(minutes=60)
NOTHING_HOLDS = "No rule holds the change any more, so that it can simply be made."
log = get_logger("guard")


async def approve(
    means: Means, hold_id: str, principal: Principal, *, reason: str
) -> dict[str, Any]:
    """Release a hold, or end it where the rules reject the change by now; return it as it stands.

    Raises ReleaseRefused for whoever may not release it, HoldEnded where nothing is left to
    release, HoldChanged where there is more to look at than the approver saw, HoldTaken where
    somebody else decided meanwhile, and Unavailable where it can't be judged now.
    """
    why, now = written(reason), means.recorder.now()
    hold = await means.database.read(lambda c: find_hold(c, hold_id))
    if hold.state_at(now) is not HoldState.OPEN:
        raise ended(hold, hold.state_at(now).doc)
    if not means.recorder.enforces:
        raise ReleaseRefused("Nothing is released while the guard only observes.")
    # (1) Who agrees is a person with the role, another one than who asked, whom the rules let.
    person = await _other_person(means, hold, principal)
    await _require_named(means, hold, person)
    # (2) The row is still the one on which it was asked for.
    change = await _change(means, hold, now)
    # (3) It is judged as the requester's act, with facts looked up for this.
    judged = await means.judge.judge(
        change,
        actor_id=hold.change.requester_id,
        on_behalf_by=hold.change.on_behalf_by,
        is_synchronous=True,
        now=now,
    )
    # (4) A rejection wins. What nothing holds any more needs nobody's word.
    case = release_case(hold)
    outcome = judged.decision.outcome
    if outcome is Outcome.REJECT:
        return await _refused_by_rules(means, hold, judged, case, now)
    if outcome is not Outcome.HOLD:
        raise await _superseded(means, hold, NOTHING_HOLDS, now)
    if not set(holding_rules(judged)) <= set(hold.rules):
        await means.recorder.judged(case, judged, now=now)
        raise HoldChanged(
            f"By now {', '.join(holding_rules(judged))} hold the change {hold.id}.",
            hint="Look at the hold again before you release it.",
            hold_id=hold.id,
        )
    # (5) The word is recorded with the decision that it was given on.
    released = Released(
        hold.id, principal.name, person.object_id, why, hold.rules, now + USABLE_FOR
    )
    await means.recorder.judged(
        case,
        judged,
        now=now,
        cause=RELEASED,
        of_hold=OfHold(released=released, is_asked_for=True),
        hold_id=hold.id,
    )
    log.info("hold_released", hold_id=hold.id, record_id=hold.change.record_id)
    return await _shown(means, hold)


def release_case(hold: Hold) -> Case:
    """Return the case of a change that is judged because somebody releases it."""
    change = hold.change
    return Case(
        table=change.table,
        record_id=change.record_id,
        operation=change.operation,
        mode=SYNCHRONOUS,
        stage=20,
        initiating_user_id=change.requester_id,
        on_behalf_by=change.on_behalf_by,
        source=FROM_RELEASE,
    )


async def _other_person(means: Means, hold: Hold, principal: Principal) -> Person:
    """Return the approver, who is nobody that asked for the change (law 19).

    Compared are Entra objects. The user row of whoever asked has to name the object that it named
    then: one that was pointed to somebody else meanwhile proves nothing about anybody.
    """
    if not principal.may_approve or principal.object_id is None:
        lacking = (
            "did not sign in with Entra"
            if principal.proof is not Proof.ENTRA
            else f"has not the role {AppRole.APPROVER.value}"
        )
        raise ReleaseRefused(
            f"{principal.name} {lacking}, so their word releases nothing.",
            hint=f"Sign in as a person with the role {AppRole.APPROVER.value}.",
        )
    object_id = principal.object_id.lower()
    person = await means.directory.person(object_id)
    if person is None or person.is_enabled is False:
        raise ReleaseRefused(f"{principal.name} is no user of Entra who may sign in.")
    change = hold.change
    people = (change.requester_id, change.on_behalf_by, *hold.identities)
    asked = tuple(dict.fromkeys(one for one in people if one is not None))
    for user_id in asked:
        then = hold.identities.get(user_id)
        if not then:
            raise ReleaseRefused(
                f"Who the user {user_id} is in Entra was not known when the change was asked for.",
                hint="Refuse it, and have the change made once more.",
            )
        if then == object_id:
            raise ReleaseRefused(
                f"{principal.name} asked for this change, and nobody releases their own.",
                hint="Another approver has to look at it.",
            )
        user = await means.users.user(user_id)
        if user is None or (user.object_id or "").lower() != then:
            raise ReleaseRefused(
                f"The user {user_id} names somebody else in Entra than when they asked.",
                hint="Refuse it; find out who changed that user row.",
            )
    for row in await means.rows.users_named(object_id=object_id, upn=person.upn):
        if means.identity.is_own(row.id, row.application_id) or row.application_id is not None:
            raise ReleaseRefused("An application releases nothing.")
        if row.id in asked:
            raise ReleaseRefused(
                f"{principal.name} asked for this change, and nobody releases their own."
            )
    return person


async def _require_named(means: Means, hold: Hold, person: Person) -> None:
    """Raise ReleaseRefused unless every rule that holds the change lets that person release it."""
    terms = terms_of(means.judge.policy_set, hold.change.table, hold.rules)
    naming = [
        (rule, one) for rule, one in zip(hold.rules, terms, strict=True) if one.names_somebody
    ]
    if not naming:
        return
    roles = await means.directory.directory_roles(person.object_id)
    names = {fold(one) for one in await names_of(person, means.directory)}
    for rule, one in naming:
        if not _names(one, names, roles):
            raise ReleaseRefused(
                f"The rule {rule} names others who may release what it holds.",
                hint=f"It is for {', '.join((*one.approvers, *one.entra_roles))}.",
            )


def _names(terms: ReleaseTerms, names: set[str], roles: tuple[str, ...]) -> bool:
    held = {fold(one) for one in roles}
    return any(fold(one) in names for one in terms.approvers) or any(
        fold(one) in held for one in terms.entra_roles
    )


async def _change(means: Means, hold: Hold, now: datetime) -> GuardedChange:
    """Return the change that the row would undergo now. Raises HoldEnded, Conflict."""
    if hold.change.operation == "create":
        return change_now(hold.change, None)
    row = await means.rows.row(hold.change.table, hold.change.record_id)
    if row is None:
        raise await _superseded(means, hold, "The row is gone.", now)
    standing = standing_of(hold.change, row)
    if standing.is_done:
        raise Conflict(
            "The row still holds what was held: its revert is not done yet.",
            hint="Try again in a moment; `decisions list` shows what the revert waits for.",
        )
    if standing.others:
        told = f"The row was changed since: {', '.join(standing.others)}."
        raise await _superseded(means, hold, told, now)
    return change_now(hold.change, row)


async def _superseded(means: Means, hold: Hold, reason: str, now: datetime) -> HoldEnded:
    """End a hold for that reason, and return the error that says so."""
    settled = Settled(
        hold.id, (HoldState.OPEN,), HoldState.SUPERSEDED, hold.change.record_id, reason
    )
    await means.database.write(
        lambda c: holds.settle(c, settled, None, now=now), failpoint=SUPERSEDED
    )
    return ended(hold, reason)


async def _refused_by_rules(
    means: Means, hold: Hold, judged: Judged, case: Case, now: datetime
) -> dict[str, Any]:
    """End a hold whose change the rules reject by now; return it as it stands.

    What could not be judged leaves it open: raises Unavailable.
    """
    rules = ", ".join(one.id for one in judged.decision.contributing)
    if judged.decision.cause == "error":
        raise Unavailable(f"The change can't be judged now: {rules}.", hint="Try again later.")
    settled = Settled(
        hold.id,
        (HoldState.OPEN,),
        HoldState.REFUSED,
        hold.change.record_id,
        f"The rules reject it by now: {rules}.",
    )
    of_hold = OfHold(settled=settled, is_asked_for=True)
    await means.recorder.judged(case, judged, now=now, of_hold=of_hold, hold_id=hold.id)
    return await _shown(means, hold)


async def _shown(means: Means, hold: Hold) -> dict[str, Any]:
    now, policy_set = means.recorder.now(), means.judge.policy_set
    return await means.database.read(
        lambda c: show_hold(c, hold.id, now=now, policy_set=policy_set)
    )
