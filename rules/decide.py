"""A change and its facts become a decision. Pure and total: no clock, no network, no exception.

Every applicable rule is evaluated; there is no first fit. The law of combination stands in
`rules.decision`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from rules.change import Change, Facts
from rules.compiled import CompiledPolicy, CompiledRule
from rules.decision import Decision, Finding, Outcome, combine
from rules.effects import EFFECT_SETS, Effect
from rules.exceptions import find_exception
from rules.index import Candidates
from rules.policy_set import PolicySet
from rules.slots import View
from rules.trouble import Trouble

# As outcomes of a decision, the two sets of effects are equally strong.
_BY_EFFECT: Final[Mapping[Effect, Outcome]] = {
    effect: outcome
    for one in EFFECT_SETS
    for effect, outcome in zip(one.effects, (Outcome.REJECT, Outcome.HOLD), strict=True)
}


def decide(change: Change, policy_set: PolicySet, facts: Facts, *, now: datetime) -> Decision:
    """Return the decision on a change, with every finding.

    `now` is the only time that rules can see, as `request.time`. An error while matching is an
    error of every rule of the policy; a false match condition wins over errors of others.
    """
    candidates = policy_set.index.candidates(change)
    if candidates.is_timed:
        facts = replace(facts, now=now)
    view = candidates.blank.copy()
    for index, read in candidates.readers:
        view[index] = read(change, facts)
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
                findings += unmatched(policy, answer, (change, facts, view), now=now)
                continue
        matched = True
        for run, enforced_id, rule in policy.steps:
            answer = run(view)
            if answer is None:
                continue
            if enforced_id is not None and answer.__class__ is bool:
                evaluated.append(enforced_id)
            if answer is not True:
                findings.append(failing(policy, rule, answer, (change, facts, view), now=now))
    if findings:
        return combine(findings, evaluated=tuple(evaluated), matched=matched)
    return _allowed(candidates, tuple(evaluated)) if matched else _NO_POLICY


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
    policy: CompiledPolicy, trouble: Trouble, seen: tuple[Change, Facts, View], *, now: datetime
) -> list[Finding]:
    """Return the findings of a policy whose match erred: an error of each of its rules."""
    return [failing(policy, rule, trouble, seen, now=now) for rule in policy.rules]


def failing(
    policy: CompiledPolicy,
    rule: CompiledRule,
    answer: Any,
    seen: tuple[Change, Facts, View],
    *,
    now: datetime,
) -> Finding:
    """Return the finding of a rule that answered False or a Trouble."""
    change, facts, view = seen
    head, declared = policy.policy, rule.rule
    exception = error = None
    unknown: tuple[str, ...] = ()
    result: Any = "fail"
    effect: Any = declared.effect if head.mode == "enforce" else head.mode
    contributes = Outcome.ALLOW
    if answer.__class__ is Trouble:
        result, effect, error = "error", "error", answer.text
        if answer.unknown == answer.paths:
            unknown = answer.unknown
        if head.mode == "enforce" and head.on_error == "reject":
            contributes = Outcome.REJECT
        message = f"This could not be judged: {answer.text}."
    else:
        if policy.exceptions:
            exception = find_exception(
                policy.exceptions, declared.id, view=view, change=change, facts=facts, now=now
            )
        message = rule.render(change, facts)
        if exception is not None:
            result = "excepted"
        elif head.mode == "enforce":
            contributes = _BY_EFFECT[declared.effect]
        elif head.mode == "warn":
            contributes = Outcome.WARN
    return Finding(
        policy=head.name,
        rule=declared.id,
        id=rule.id,
        result=result,
        mode=head.mode,
        effect=effect,
        declared=declared.effect,
        severity=declared.severity,
        message=message,
        help=declared.help,
        exception=exception,
        error=error,
        contributes=contributes,
        unknown=unknown,
    )
