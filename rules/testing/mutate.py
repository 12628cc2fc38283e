"""Mutants: a policy set with one operator, value, condition or effect changed, to try the tests.

A mutant that no case notices is a line of policy that nobody tests. Mutants come in the order of
policies and lines, and the same set gives the same mutants each time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

from rules.engine.decide import decide
from rules.engine.policy_set import PolicySet, build_index
from rules.explain.words import describe_condition
from rules.model.catalogue import Kind
from rules.model.decision import Decision, combine
from rules.model.effects import EFFECT_SETS, Effect
from rules.operators.table import OPERATORS
from rules.policy.conditions import (
    AllOf,
    AnyOf,
    Check,
    Condition,
    LiteralValue,
    Location,
    Not,
    OtherField,
    Test,
    ValueSource,
)
from rules.policy.policy import Policy, Rule, TablePolicy
from rules.testing.cases import TestCase, policies_named
from rules.testing.run import differences

_OTHER_TEXT: Final = "no-such-value"
# Of a long list, the first few tell whether the tests look at its items at all.
_MOST_ITEMS: Final = 5
_EFFECTS: Final[Mapping[Effect, Effect]] = MappingProxyType(
    {one: other for each in EFFECT_SETS for one, other in (each.effects, each.effects[::-1])}
)

_Change = tuple[Location, str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Mutant:
    """One policy with one thing changed; `words` say what, `owner` is its rule or policy."""

    place: Location
    owner: str
    words: str
    policy: Policy


@dataclass(frozen=True, slots=True)
class Mutations:
    """How many mutants were tried, and those that no case noticed."""

    tried: int
    survivors: tuple[Mutant, ...]

    @property
    def percent(self) -> float:
        """Return how many of a hundred were noticed."""
        return 100.0 * (self.tried - len(self.survivors)) / self.tried if self.tried else 100.0


def try_mutants(
    policy_set: PolicySet,
    cases: Sequence[TestCase],
    *,
    advance: Callable[[int, int], None] = lambda done, total: None,
) -> Mutations:
    """Decide every case under every mutant; all cases must pass on the set as it is."""
    usable = [case for case in cases if not case.problems]
    trial = _Trial(policy_set, usable)
    made = [mutant for policy in trial.policies for mutant in _mutants(policy)]
    survivors = []
    for number, mutant in enumerate(made, 1):
        if not trial.notices(mutant):
            survivors.append(mutant)
        advance(number, len(made))
    return Mutations(len(made), tuple(survivors))


class _Trial:
    """What every policy alone finds on every case, so that a mutant costs one policy."""

    def __init__(self, policy_set: PolicySet, cases: Sequence[TestCase]) -> None:
        self._policy_set = policy_set
        self._cases = cases
        named = policies_named(cases)
        self._only_named = {one.name for one in policy_set.policies if one.mode == "off"}
        # A policy that is off is audited for the cases that name it, as `only` does.
        self.policies = tuple(
            replace(policy, mode="audit") if policy.mode == "off" else policy
            for policy in policy_set.policies
            if policy.mode != "off" or policy.name in named
        )
        self._found = {policy.name: self._decisions(policy) for policy in self.policies}

    def _decisions(self, policy: Policy) -> list[Decision | None]:
        alone = self._alone(policy)
        return [
            decide(case.change, alone, case.facts, now=case.now)
            if case.change.table in policy.tables and self._concerns(case, policy.name)
            else None
            for case in self._cases
        ]

    def _concerns(self, case: TestCase, name: str) -> bool:
        return name not in self._only_named if case.policies is None else name in case.policies

    def _alone(self, policy: Policy) -> PolicySet:
        return replace(self._policy_set, policies=(policy,), index=build_index((policy,)))

    def notices(self, mutant: Mutant) -> bool:
        """Tell whether a case fails with the mutant in the place of its policy."""
        name = mutant.policy.name
        changed = self._decisions(mutant.policy)
        for number, (was, now) in enumerate(zip(self._found[name], changed, strict=True)):
            # What the policy decides alone did not change, so the whole cannot have.
            if was is None or now is None or was == now:
                continue
            others = [
                found[number] for other, found in self._found.items() if other != name
            ]  # fmt: skip
            if differences(self._cases[number], _together([now, *others])):
                return True
        return False


def _together(decisions: Sequence[Decision | None]) -> Decision:
    there = [decision for decision in decisions if decision is not None]
    return combine(
        [finding for decision in there for finding in decision.findings],
        evaluated=(),
        matched=any(decision.cause != "no-policy" for decision in there),
    )


def _mutants(policy: Policy) -> Iterator[Mutant]:
    first = next(iter(policy.tables.values()), None)
    if first is None:
        return
    if policy.mode == "enforce":
        words = "mode: enforce -> audit"
        yield Mutant(policy.place, policy.name, words, replace(policy, mode="audit"))
    for place, words, _ in _of_list(first.when, may_be_empty=True):
        yield Mutant(place, policy.name, words, _in_match(policy, place, words))
    for rule in first.rules:
        yield from _of_rule(policy, rule)


def _of_rule(policy: Policy, rule: Rule) -> Iterator[Mutant]:
    owner = f"{policy.name}/{rule.id}"
    if policy.mode == "enforce":
        other = _EFFECTS[rule.effect]
        words = f"effect: {rule.effect} -> {other}"
        changed = _in_rules(policy, rule.id, lambda one: replace(one, effect=other))
        yield Mutant(rule.place, owner, words, changed)
    for stage in ("when", "require", "unless"):
        for place, words, _ in _of_list(getattr(rule, stage), may_be_empty=stage != "require"):
            yield Mutant(place, owner, words, _in_stage(policy, rule.id, stage, place, words))


def _in_match(policy: Policy, place: Location, words: str) -> Policy:
    """Return the policy with the same change in its match on each of its tables."""

    def changed(table: TablePolicy) -> TablePolicy:
        return replace(table, when=_applied(table.when, place, words, may_be_empty=True))

    return replace(policy, tables={name: changed(one) for name, one in policy.tables.items()})


def _in_stage(policy: Policy, rule_id: str, stage: str, place: Location, words: str) -> Policy:
    def changed(rule: Rule) -> Rule:
        conditions = getattr(rule, stage)
        may_be_empty = stage != "require"
        found = _applied(conditions, place, words, may_be_empty=may_be_empty)
        fields: dict[str, Any] = {stage: found}
        return replace(rule, **fields)

    return _in_rules(policy, rule_id, changed)


def _in_rules(policy: Policy, rule_id: str, change: Callable[[Rule], Rule]) -> Policy:
    tables = {
        name: replace(
            table,
            rules=tuple(change(rule) if rule.id == rule_id else rule for rule in table.rules),
        )
        for name, table in policy.tables.items()
    }
    return replace(policy, tables=tables)


def _applied(
    conditions: tuple[Condition, ...], place: Location, words: str, *, may_be_empty: bool
) -> tuple[Condition, ...]:
    """Return the list with the change of that place and those words, if it has it."""
    for at, said, changed in _of_list(conditions, may_be_empty=may_be_empty):
        if (at, said) == (place, words):
            return tuple(changed)
    return conditions


def _of_list(conditions: Sequence[Condition], *, may_be_empty: bool) -> Iterator[_Change]:
    """Yield every list with one change in it."""
    for index, condition in enumerate(conditions):
        before, behind = conditions[:index], conditions[index + 1 :]
        if may_be_empty or len(conditions) > 1:
            yield condition.place, f"left out: {describe_condition(condition)}", (*before, *behind)
        for place, words, changed in _of_tree(condition):
            yield place, words, (*before, changed, *behind)


def _of_tree(condition: Condition) -> Iterator[_Change]:
    match condition:
        case Test():
            yield from _of_test(condition)
        case Not():
            yield condition.place, "not is left out", condition.item
            for place, words, item in _of_tree(condition.item):
                yield place, words, replace(condition, item=item)
        case AllOf() | AnyOf():
            if len(condition.items) > 1:
                other, words = (
                    (AnyOf, "allOf -> anyOf")
                    if isinstance(condition, AllOf)
                    else (AllOf, "anyOf -> allOf")
                )
                yield condition.place, words, other(condition.items, condition.place)
            for place, words, items in _of_list(condition.items, may_be_empty=False):
                yield place, words, replace(condition, items=tuple(items))


def _of_test(test: Test) -> Iterator[_Change]:
    for index, check in enumerate(test.checks):
        before, behind = test.checks[:index], test.checks[index + 1 :]
        if len(test.checks) > 1:
            words = f"{check.operator.name} is left out"
            yield check.place, words, replace(test, checks=(*before, *behind))
        for words, changed in _of_check(test, check):
            yield check.place, words, replace(test, checks=(*before, changed, *behind))


def _of_check(test: Test, check: Check) -> Iterator[tuple[str, Check]]:
    kind = Kind.NUMBER if test.part == "length" else test.reference.field.kind
    name = check.operator.name
    opposite, near = check.operator.opposite, check.operator.near
    for other in near if opposite is None else (opposite, *near):
        operator = OPERATORS[other]
        if kind in operator.kinds:
            swapped = replace(check, operator=operator)
            if operator.takes == "flag":
                swapped = replace(swapped, operand=LiteralValue(True, "true"))
            yield f"{name} -> {other}", swapped
    for words, operand in _of_operand(test, check, kind):
        yield f"{name}: {words}", replace(check, operand=operand)


def _of_operand(test: Test, check: Check, kind: Kind) -> Iterator[tuple[str, LiteralValue]]:
    operand = check.operand
    if isinstance(operand, OtherField):
        if kind in (Kind.STRING, Kind.LOOKUP, Kind.LIST):
            words = f"{operand.reference.path} -> {_OTHER_TEXT}"
            yield words, LiteralValue(_OTHER_TEXT, _OTHER_TEXT)
        return
    match check.operator.takes:
        case "flag":
            flipped = "false" if operand.value else "true"
            yield f"{operand.words} -> {flipped}", LiteralValue(not operand.value, flipped)
        case "pattern":
            yield f"{operand.words} -> .*", LiteralValue(".*", ".*")
        case "many" if operand.source is ValueSource.LITERAL:
            for item in operand.value[:_MOST_ITEMS]:
                rest = tuple(one for one in operand.value if one is not item)
                label = test.reference.field.label_of(item) or item
                yield f"{label} is left out of {operand.words}", LiteralValue(rest, operand.words)
        case "many":
            yield f"{operand.words} -> nothing", LiteralValue((), operand.words)
        case _:
            for value, label in _other_values(operand.value, test, kind):
                yield f"{operand.words} -> {label}", LiteralValue(value, label)


def _other_values(value: Any, test: Test, kind: Kind) -> Iterator[tuple[Any, str]]:
    if kind is Kind.CHOICE:
        for label, stored in test.reference.field.labels.items():
            if stored != value:
                yield stored, label
                return
    elif isinstance(value, bool):
        yield not value, str(not value).lower()
    elif isinstance(value, int | float):
        yield value + 1, str(value + 1)
    elif isinstance(value, datetime):
        yield value + timedelta(days=1), "a day later"
    elif isinstance(value, str):
        yield _OTHER_TEXT, _OTHER_TEXT
