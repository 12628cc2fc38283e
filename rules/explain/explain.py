"""Why a change was decided as it was: every policy, rule and condition with what it saw.

The decision is made by `decide`; the explanation is made beside it by a second evaluator that
walks the trees and keeps the values. A property holds that both always agree.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from rules.engine.decide import decide
from rules.engine.exceptions import is_current
from rules.engine.policy_set import PolicySet
from rules.explain.trace import Answer, Trace, Tracer, all_hold
from rules.model.change import Change, Facts
from rules.model.decision import Decision, Finding, Outcome
from rules.operators.unknown import UnknownValue
from rules.policy.policy import Policy, PolicyException, Rule, TablePolicy

Result = Literal["passed", "failed", "skipped-when", "skipped-unless", "error", "excepted"]
RESULTS: tuple[Result, ...] = (
    "passed", "failed", "skipped-when", "skipped-unless", "error", "excepted",
)  # fmt: skip
HOLDING = ("hold", "metadata-only")
Consideration = Literal["applies", "ended", "not-yet", "does-not-fit", "not-needed"]


@dataclass(frozen=True, slots=True)
class ConsideredException:
    """An exception that names a failing rule, and whether it lets the failure pass."""

    exception: PolicyException
    state: Consideration
    when: tuple[Trace, ...] = ()


@dataclass(frozen=True, slots=True)
class RuleTrace:
    """One rule as it went; what was not reached is empty.

    `finding` is the decision's own finding, None for a rule that passed or did not apply.
    """

    id: str
    rule: Rule
    result: Result
    when: tuple[Trace, ...] = ()
    unless: tuple[Trace, ...] = ()
    require: tuple[Trace, ...] = ()
    exceptions: tuple[ConsideredException, ...] = ()
    error: str | None = None
    contributes: Outcome = Outcome.ALLOW
    finding: Finding | None = None

    @property
    def exception(self) -> str | None:
        """Return the name of the exception that applied."""
        applied = [one.exception.name for one in self.exceptions if one.state == "applies"]
        return applied[0] if applied else None


@dataclass(frozen=True, slots=True)
class PolicyTrace:
    """One policy of the change's table and operation; `rules` is empty when it did not match."""

    policy: Policy
    matched: Answer
    match: tuple[Trace, ...]
    rules: tuple[RuleTrace, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """A decision with everything that made it."""

    change: Change
    now: datetime
    decision: Decision
    policies: tuple[PolicyTrace, ...]

    @property
    def rules(self) -> tuple[RuleTrace, ...]:
        """Return the rules of every policy that matched, in the order of their ids."""
        found = [rule for policy in self.policies for rule in policy.rules]
        return tuple(sorted(found, key=lambda rule: rule.id))

    @property
    def rule_ids(self) -> tuple[str, ...]:
        """Return the id of every rule that could have spoken, of policies without a match too."""
        return tuple(
            f"{trace.policy.name}/{rule.id}"
            for trace in self.policies
            for rule in trace.policy.tables[self.change.table].rules
        )

    @property
    def outcome(self) -> Outcome:
        """Return the outcome that the walker found by itself."""
        return max((rule.contributes for rule in self.rules), default=Outcome.ALLOW, key=_rank)


def _rank(outcome: Outcome) -> int:
    return outcome.rank


def explain(change: Change, policy_set: PolicySet, facts: Facts, *, now: datetime) -> Explanation:
    """Return the decision on a change with the tree of every policy that could concern it."""
    return Explainer(policy_set).explain(change, facts, now=now)


class Explainer:
    """Explains changes by one policy set; what it prepares is kept for the next one."""

    def __init__(self, policy_set: PolicySet) -> None:
        self._policy_set = policy_set
        self._tracer = Tracer()

    def explain(self, change: Change, facts: Facts, *, now: datetime) -> Explanation:
        """Return the decision on a change with the tree of every policy that could concern it."""
        decision = decide(change, self._policy_set, facts, now=now)
        facts = replace(facts, now=now)
        walk = _Walk(self._tracer, change, facts, now, {f.id: f for f in decision.findings})
        policies = tuple(
            walk.policy(policy, table)
            for policy in self._policy_set.policies
            if policy.mode != "off"
            and (table := policy.tables.get(change.table)) is not None
            and change.operation in table.operations
        )
        return Explanation(change, now, decision, policies)


@dataclass(frozen=True, slots=True)
class _Walk:
    """One change on its way through the policies."""

    tracer: Tracer
    change: Change
    facts: Facts
    now: datetime
    findings: dict[str, Finding]

    def policy(self, policy: Policy, table: TablePolicy) -> PolicyTrace:
        match = self.tracer.trace_all(table.when, self.change, self.facts)
        matched = all_hold(match)
        rules: tuple[RuleTrace, ...] = ()
        if matched is not False:
            ordered = sorted(table.rules, key=lambda rule: rule.id)
            rules = tuple(self._rule(policy, table, rule, matched) for rule in ordered)
        return PolicyTrace(policy, matched, match, rules)

    def _rule(self, policy: Policy, table: TablePolicy, rule: Rule, matched: Answer) -> RuleTrace:
        rule_id = f"{policy.name}/{rule.id}"
        finding = self.findings.get(rule_id)
        when = unless = require = ()  # type: tuple[Trace, ...]
        exceptions: tuple[ConsideredException, ...] = ()
        result: Result
        answer = matched
        if answer is True:
            when = self.tracer.trace_all(rule.when, self.change, self.facts)
            answer = all_hold(when)
        if answer is False:
            return RuleTrace(rule_id, rule, "skipped-when", when)
        if answer is True and rule.unless:
            unless = self.tracer.trace_all(rule.unless, self.change, self.facts)
            excused = all_hold(unless)
            if excused is True:
                return RuleTrace(rule_id, rule, "skipped-unless", when, unless)
            answer = excused if isinstance(excused, UnknownValue) else True
        if answer is True:
            require = self.tracer.trace_all(rule.require, self.change, self.facts)
            answer = all_hold(require)
        if answer is True:
            return RuleTrace(rule_id, rule, "passed", when, unless, require)
        result = "error" if isinstance(answer, UnknownValue) else "failed"
        if result == "failed":
            exceptions = self._exceptions(table, rule)
            if any(one.state == "applies" for one in exceptions):
                result = "excepted"
        return RuleTrace(
            id=rule_id,
            rule=rule,
            result=result,
            when=when,
            unless=unless,
            require=require,
            exceptions=exceptions,
            error=answer.text if isinstance(answer, UnknownValue) else None,
            contributes=_contribution(policy, rule, result),
            finding=finding,
        )

    def _exceptions(self, table: TablePolicy, rule: Rule) -> tuple[ConsideredException, ...]:
        considered: list[ConsideredException] = []
        applied = False
        for one in sorted(table.exceptions, key=lambda one: one.name):
            if rule.id not in one.rules:
                continue
            state: Consideration
            when: tuple[Trace, ...] = ()
            if not is_current(one.ends, self.now):
                state = "ended" if one.ends <= self.now else "not-yet"
            else:
                when = self.tracer.trace_all(one.when, self.change, self.facts)
                fits = all_hold(when) is True
                state = "does-not-fit" if not fits else "not-needed" if applied else "applies"
                applied = applied or fits
            considered.append(ConsideredException(one, state, when))
        return tuple(considered)


def _contribution(policy: Policy, rule: Rule, result: Result) -> Outcome:
    """Return what a rule adds to the decision, by the law in `rules.model.decision`."""
    if result == "failed" and policy.mode == "enforce":
        return Outcome.HOLD if rule.effect in HOLDING else Outcome.REJECT
    if result == "failed" and policy.mode == "warn":
        return Outcome.WARN
    if result == "error" and policy.mode == "enforce" and policy.on_error == "reject":
        return Outcome.REJECT
    return Outcome.ALLOW
