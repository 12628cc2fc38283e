"""A change and its facts become a decision. Pure and total: no clock, no network, no exception.

Every applicable rule is evaluated; there is no first fit. The law of combination stands in
`rules.model.decision`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from rules.engine.compile import CompiledPolicy, CompiledRule
from rules.engine.exceptions import find_exception
from rules.engine.index import Candidates
from rules.engine.policy_set import PolicySet
from rules.model.change import Change, Facts
from rules.model.decision import Decision, Finding, Outcome, combine
from rules.operators.fields import CHANGE, FACTS, View
from rules.operators.unknown import UnknownValue


def decide(change: Change, policy_set: PolicySet, facts: Facts, *, now: datetime) -> Decision:
    """Return the decision on a change, with every finding.

    `now` is the only time that rules can see, as `request.time`. An error while matching is an
    error of every rule of the policy; a false match condition wins over errors of others.
    """
    candidates = policy_set.index.candidates(change)
    view = candidates.view(change, facts, now=now)
    findings: list[Finding] = []
    evaluated: list[str] = []
    matched = False
    for policy in candidates.policies:
        if policy.match is not None:
            answer = policy.match(view)
            if answer is False:
                continue
            if answer is not True:
                matched = True
                findings += unmatched(policy, answer, view, now=now)
                continue
        matched = True
        for run, enforced_id, rule in policy.steps:
            answer = run(view)
            if answer is True:
                if enforced_id is not None:
                    evaluated.append(enforced_id)
            elif answer is not None:
                if enforced_id is not None and answer is False:
                    evaluated.append(enforced_id)
                findings.append(failing(policy, rule, answer, view, now=now))
    if findings:
        return combine(findings, evaluated=tuple(evaluated), matched=matched)
    return _allowed(candidates, tuple(evaluated)) if matched else _NO_POLICY


def failures(
    change: Change, policy_set: PolicySet, facts: Facts, *, now: datetime
) -> list[Finding] | None:
    """Return the findings that `decide` has, but without their messages, in no certain order.

    None when that takes more than a look: something errs, or an exception may let a failure pass.
    For those who compare decisions, of which few differ.
    """
    candidates = policy_set.index.candidates(change)
    view = candidates.view(change, facts, now=now)
    found: list[Finding] = []
    for policy in candidates.policies:
        if policy.match is not None:
            answer = policy.match(view)
            if answer is False:
                continue
            if answer is not True:
                return None
        for run, _, rule in policy.steps:
            answer = run(view)
            if answer is False and not policy.exceptions:
                found.append(rule.failed)
            elif answer is not True and answer is not None:
                return None
    return found


_NO_POLICY: Final = Decision(Outcome.ALLOW, "no-policy")
_MOST_REMEMBERED: Final = 256


def _allowed(candidates: Candidates, evaluated: tuple[str, ...]) -> Decision:
    decision = candidates.allowed.get(evaluated)
    if decision is None:
        decision = Decision(Outcome.ALLOW, "rules", (), evaluated)
        if len(candidates.allowed) < _MOST_REMEMBERED:
            candidates.allowed[evaluated] = decision
    return decision


def unmatched(
    policy: CompiledPolicy, unknown: UnknownValue, view: View, *, now: datetime
) -> list[Finding]:
    """Return the findings of a policy whose match erred: an error of each of its rules."""
    return [failing(policy, rule, unknown, view, now=now) for rule in policy.rules]


def failing(
    policy: CompiledPolicy, rule: CompiledRule, answer: Any, view: View, *, now: datetime
) -> Finding:
    """Return the finding of a rule that answered False or an UnknownValue."""
    if answer.__class__ is UnknownValue:
        return rule.erred.but(
            message=f"This could not be judged: {answer.text}.",
            error=answer.text,
            unknown=answer.unknown if answer.unknown == answer.paths else (),
        )
    message = rule.render(view[CHANGE], view[FACTS])
    if policy.exceptions:
        exception = find_exception(policy.exceptions, rule.rule.id, view=view, now=now)
        if exception is not None:
            return rule.failed.but(
                result="excepted",
                message=message,
                exception=exception,
                contributes=Outcome.ALLOW,
            )
    return rule.failed.but(message=message)
