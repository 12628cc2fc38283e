"""What tests have seen of the rules: which passed, failed, did not apply, erred or were excepted,
and which conditions held and did not.

What has not been seen both ways may be misspelt, and would look the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from rules.engine.policy_set import PolicySet
from rules.explain.explain import RESULTS, Explanation, Result
from rules.explain.trace import Trace
from rules.explain.words import describe_check
from rules.policy.conditions import Condition, Location, tests_of


@dataclass(slots=True)
class RuleCoverage:
    """How often one rule was seen to do what."""

    id: str
    place: Location
    seen: dict[Result, int] = field(default_factory=lambda: dict.fromkeys(RESULTS, 0))

    @property
    def is_whole(self) -> bool:
        """Tell whether it was seen passing and failing."""
        return not self.never

    @property
    def never(self) -> list[str]:
        """Return what it was never seen to do, of "pass" and "fail"."""
        seen = (("pass", self.seen["passed"]), ("fail", self.seen["failed"]))
        return [word for word, count in seen if not count]


@dataclass(slots=True)
class ConditionCoverage:
    """How often one condition was seen to hold and not to hold; `owner` is its rule or policy."""

    owner: str
    stage: str
    words: str
    place: Location
    held: int = 0
    failed: int = 0

    @property
    def is_whole(self) -> bool:
        """Tell whether it was seen true and false."""
        return not self.never

    @property
    def never(self) -> list[str]:
        """Return what it was never seen to be, of "true" and "false"."""
        seen = (("true", self.held), ("false", self.failed))
        return [word for word, count in seen if not count]


_STAGES: Final = ("when", "require", "unless")


class Coverage:
    """Counts what explanations show, over every rule and condition of a set.

    Policies that are off count only if they are among those that the cases name.
    """

    def __init__(self, policy_set: PolicySet, *, named: frozenset[str] = frozenset()) -> None:
        self._rules: dict[str, RuleCoverage] = {}
        self._conditions: dict[Location, ConditionCoverage] = {}
        for policy in policy_set.policies:
            is_tried = policy.mode != "off" or policy.name in named
            for table in policy.tables.values() if is_tried else ():
                self._declare(policy.name, "match", table.when)
                for rule in table.rules:
                    rule_id = f"{policy.name}/{rule.id}"
                    self._rules.setdefault(rule_id, RuleCoverage(rule_id, rule.place))
                    for stage in _STAGES:
                        self._declare(rule_id, stage, getattr(rule, stage))

    def _declare(self, owner: str, stage: str, conditions: tuple[Condition, ...]) -> None:
        for condition in conditions:
            for test in tests_of(condition):
                subject = test.reference.path
                subject = f"{test.part} of {subject}" if test.part else subject
                for check in test.checks:
                    words = describe_check(subject, check)
                    fresh = ConditionCoverage(owner, stage, words, check.place)
                    self._conditions.setdefault(check.place, fresh)

    def add(self, explanation: Explanation) -> None:
        """Count one explained decision."""
        for policy in explanation.policies:
            self._count(policy.match)
            for rule in policy.rules:
                # An error while matching reaches every rule, and none of them was tried.
                if rule.id in self._rules and (policy.matched is True or rule.result == "error"):
                    self._rules[rule.id].seen[rule.result] += 1
                for traces in (rule.when, rule.require, rule.unless):
                    self._count(traces)

    def _count(self, traces: tuple[Trace, ...]) -> None:
        for trace in traces:
            for leaf in trace.leaves():
                known = self._conditions.get(leaf.place)
                if known is not None and leaf.answer is True:
                    known.held += 1
                elif known is not None and leaf.answer is False:
                    known.failed += 1

    @property
    def rules(self) -> tuple[RuleCoverage, ...]:
        """Return every rule by its id."""
        return tuple(sorted(self._rules.values(), key=lambda one: one.id))

    @property
    def conditions(self) -> tuple[ConditionCoverage, ...]:
        """Return every condition in the order of files and lines."""
        return tuple(
            sorted(
                self._conditions.values(),
                key=lambda one: (one.place.file, one.place.line, one.place.column),
            )
        )

    @property
    def rules_percent(self) -> float:
        """Return how many of a hundred rules were seen passing and failing."""
        return _percent(one.is_whole for one in self._rules.values())

    @property
    def conditions_percent(self) -> float:
        """Return how many of a hundred conditions were seen true and false."""
        return _percent(one.is_whole for one in self._conditions.values())


def _percent(whole: Iterable[bool]) -> float:
    answers = list(whole)
    return 100.0 * sum(answers) / len(answers) if answers else 100.0
