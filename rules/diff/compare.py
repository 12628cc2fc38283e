"""What changed in meaning between two policy sets, in words.

Policies are compared as they stand after params, lists and exceptions are filled in. A difference
of wording alone (titles, messages, help, severities) is told and marked as such.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from rules.diff.meaning import Meaning, condition_meaning, meaning_of, rule_meaning, rules_alone
from rules.engine.policy_set import PolicySet
from rules.explain.words import describe_condition
from rules.policy.conditions import (
    AllOf,
    AnyOf,
    Condition,
    LiteralValue,
    Not,
    Test,
    ValueSource,
    tests_of,
)
from rules.policy.messages import value_words
from rules.policy.policy import Policy, PolicyException, Rule, TablePolicy, trees_of

Kind = Literal["added", "removed", "renamed", "changed", "reworded"]
_MOST_ITEMS = 10


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that differs; `subject` is a policy, `policy/rule`, `list name` or exception."""

    kind: Kind
    subject: str
    words: str

    @property
    def in_meaning(self) -> bool:
        """Tell whether decisions can differ by it."""
        return self.kind not in ("reworded", "renamed")


def compare(old: PolicySet, new: PolicySet) -> tuple[Difference, ...]:
    """Return every difference, policies by name, then lists."""
    before = {policy.name: policy for policy in old.policies}
    after = {policy.name: policy for policy in new.policies}
    found: list[Difference] = []
    gone = {name: meaning_of(policy) for name, policy in before.items() if name not in after}
    for name, policy in after.items():
        if name in before:
            found += _policy_differences(before[name], policy)
            continue
        meaning = meaning_of(policy)
        # A name is no part of the meaning: the same policy under a new name was renamed.
        twin = next((other for other, known in gone.items() if known == meaning), None)
        if twin is None:
            found.append(Difference("added", name, _summary(policy)))
        else:
            del gone[twin]
            found.append(Difference("renamed", name, f"was called {twin}"))
    found += [Difference("removed", name, _summary(before[name])) for name in gone]
    found.sort(key=lambda one: one.subject)
    return (*found, *_list_differences(old, new))


def changed_rules(old: PolicySet, new: PolicySet) -> tuple[frozenset[str], frozenset[str]]:
    """Return the ids of the old and of the new rules that the other set has not just so.

    What stands around a rule belongs to it: its policy's match, mode and exceptions.
    """
    whole = [{one.name: meaning_of(one) for one in each.policies} for each in (old, new)]
    same = {name for name, meaning in whole[0].items() if whole[1].get(name) == meaning}
    before, after = _rules_but_of(same, old), _rules_but_of(same, new)
    return (
        frozenset(id for id, meaning in before.items() if after.get(id) != meaning),
        frozenset(id for id, meaning in after.items() if before.get(id) != meaning),
    )


def _rules_but_of(names: Container[str], policy_set: PolicySet) -> dict[str, Meaning]:
    return {
        f"{policy.name}/{id}": meaning_of(rules_alone(policy, {id}))
        for policy in policy_set.policies
        if policy.name not in names
        for id in {rule.id for table in policy.tables.values() for rule in table.rules}
    }


def _summary(policy: Policy) -> str:
    rules = sorted({rule.id for table in policy.tables.values() for rule in table.rules})
    return f"{policy.mode}, on {', '.join(policy.tables)}: {', '.join(rules)}"


def _policy_differences(old: Policy, new: Policy) -> list[Difference]:
    name = new.name
    found = [
        Difference("changed", name, f"{key}: {was} -> {now}")
        for key, was, now in (
            ("mode", old.mode, new.mode),
            ("onError", old.on_error, new.on_error),
        )
        if was != now
    ]
    for param in sorted({*old.params, *new.params}):
        was, now = old.params.get(param), new.params.get(param)
        if was != now:
            words = f"params.{param}: {value_words(was)} -> {value_words(now)}"
            found.append(Difference("changed", name, words))
    for table in old.tables.keys() - new.tables.keys():
        found.append(Difference("changed", name, f"no longer on {table}"))
    for table in new.tables.keys() - old.tables.keys():
        found.append(Difference("changed", name, f"now also on {table}"))
    for table in sorted(old.tables.keys() & new.tables.keys()):
        found += _table_differences(name, old.tables[table], new.tables[table])
    for key, was, now in (
        ("title", old.title, new.title),
        ("description", old.description, new.description),
        ("severity", old.severity, new.severity),
        ("category", old.category, new.category),
        ("contact", old.contact, new.contact),
    ):
        if was != now:
            found.append(Difference("reworded", name, f"{key}: {was or '(none)'} -> {now}"))
    # The same words on several tables are one difference.
    return list(dict.fromkeys(found))


def _table_differences(name: str, old: TablePolicy, new: TablePolicy) -> list[Difference]:
    found = []
    for word, operations in (
        ("no longer", old.operations - new.operations),
        ("now also", new.operations - old.operations),
    ):
        if operations:
            words = f"{word} on {', '.join(sorted(operations))}"
            found.append(Difference("changed", name, words))
    found += _condition_differences(name, "match", old.when, new.when)
    before = {rule.id: rule for rule in old.rules}
    after = {rule.id: rule for rule in new.rules}
    for rule_id in sorted({*before, *after}):
        subject = f"{name}/{rule_id}"
        if rule_id not in after:
            found.append(Difference("removed", subject, _rule_summary(before[rule_id])))
        elif rule_id not in before:
            found.append(Difference("added", subject, _rule_summary(after[rule_id])))
        else:
            found += _rule_differences(subject, before[rule_id], after[rule_id])
    return found + _exception_differences(name, old.exceptions, new.exceptions)


def _rule_summary(rule: Rule) -> str:
    needed = "; ".join(describe_condition(one) for one in rule.require)
    when = "; ".join(describe_condition(one) for one in rule.when)
    return f"{rule.effect} unless {needed}" + (f", when {when}" if when else "")


def _rule_differences(subject: str, old: Rule, new: Rule) -> list[Difference]:
    found = []
    if old.effect != new.effect:
        found.append(Difference("changed", subject, f"effect: {old.effect} -> {new.effect}"))
    if old.release != new.release and "hold" in (old.effect, new.effect):
        words = f"release: {old.release.words} -> {new.release.words}"
        found.append(Difference("changed", subject, words))
    if rule_meaning(old) != rule_meaning(new):
        for stage in ("when", "require", "unless"):
            found += _condition_differences(
                subject, stage, getattr(old, stage), getattr(new, stage)
            )
    for key, was, now in (
        ("severity", old.severity, new.severity),
        ("message", old.message.text, new.message.text),
        ("help", old.help, new.help),
        *_translations(old, new),
    ):
        if was != now:
            words = f"{key}: {was or '(none)'} -> {now or '(none)'}"
            found.append(Difference("reworded", subject, words))
    return found


def _translations(old: Rule, new: Rule) -> Iterator[tuple[str, str | None, str | None]]:
    for tag in sorted({*old.wordings, *new.wordings}):
        was, now = old.wordings.get(tag), new.wordings.get(tag)
        texts = [
            (None, None) if one is None else (one.message.text, one.help) for one in (was, now)
        ]
        yield f"message in {tag}", texts[0][0], texts[1][0]
        yield f"help in {tag}", texts[0][1], texts[1][1]


def _condition_differences(
    subject: str, stage: str, old: Sequence[Condition], new: Sequence[Condition]
) -> list[Difference]:
    before, after = _shapes(old), _shapes(new)
    gone = [words for meaning, words in before.items() if meaning not in after]
    come = [words for meaning, words in after.items() if meaning not in before]
    found = []
    for was, now in zip(gone, come, strict=False):
        found.append(Difference("changed", subject, f"{stage}: {was} -> {now}"))
    found += [
        Difference("changed", subject, f"{stage}: no longer {words}") for words in gone[len(come) :]
    ]
    found += [
        Difference("changed", subject, f"{stage}: now also {words}") for words in come[len(gone) :]
    ]
    return found


def _shapes(conditions: Iterable[Condition]) -> dict[str, str]:
    """Return each condition's words by its meaning; what params and lists hold is told apart."""
    return {condition_meaning(_nameless(one)): describe_condition(one) for one in conditions}


def _nameless(condition: Condition) -> Condition:
    """Return the tree with the values of params and lists left out: those are told once."""
    match condition:
        case Test():
            checks = tuple(
                check
                if not isinstance(check.operand, LiteralValue)
                or check.operand.source is ValueSource.LITERAL
                else type(check)(
                    check.operator,
                    LiteralValue(None, check.operand.words),
                    check.caseless,
                    check.place,
                )
                for check in condition.checks
            )
            return Test(condition.reference, condition.part, checks, condition.place)
        case Not():
            return Not(_nameless(condition.item), condition.place)
        case AllOf():
            return AllOf(tuple(map(_nameless, condition.items)), condition.place)
        case AnyOf():
            return AnyOf(tuple(map(_nameless, condition.items)), condition.place)


def _exception_differences(
    name: str, old: Sequence[PolicyException], new: Sequence[PolicyException]
) -> list[Difference]:
    before, after = {one.name: one for one in old}, {one.name: one for one in new}
    found = []
    for key in sorted({*before, *after}):
        subject = f"exception {key}"
        if key not in after:
            found.append(Difference("removed", subject, _exception_words(name, before[key])))
        elif key not in before:
            found.append(Difference("added", subject, _exception_words(name, after[key])))
        else:
            was, now = before[key], after[key]
            if _exception_words(name, was) != _exception_words(name, now):
                words = f"{_exception_words(name, was)} -> {_exception_words(name, now)}"
                found.append(Difference("changed", subject, words))
    return found


def _exception_words(policy: str, exception: PolicyException) -> str:
    rules = ", ".join(f"{policy}/{rule}" for rule in sorted(exception.rules))
    when = "; ".join(sorted(describe_condition(one) for one in exception.when))
    until = exception.ends.strftime("%Y-%m-%d %H:%M")
    return f"lets {rules} fail until {until} UTC" + (f", when {when}" if when else ", always")


def _list_differences(old: PolicySet, new: PolicySet) -> list[Difference]:
    before, after = _lists(old), _lists(new)
    found = []
    for name in sorted(before.keys() & after.keys()):
        gone = sorted(before[name] - after[name])
        come = sorted(after[name] - before[name])
        words = [
            f"{sign} {', '.join(items[:_MOST_ITEMS])}"
            + (f" and {len(items) - _MOST_ITEMS} more" if len(items) > _MOST_ITEMS else "")
            for sign, items in (("now also", come), ("no longer", gone))
            if items
        ]
        if words:
            found.append(Difference("changed", f"list {name}", "; ".join(words)))
    return found


def _lists(policy_set: PolicySet) -> Mapping[str, frozenset[str]]:
    """Return the items of every list that a condition names."""
    found: dict[str, frozenset[str]] = {}
    for policy in policy_set.policies:
        for table in policy.tables.values():
            for test in (test for tree in trees_of(table) for test in tests_of(tree)):
                for check in test.checks:
                    operand = check.operand
                    if isinstance(operand, LiteralValue) and operand.source is ValueSource.LIST:
                        found[operand.name] = frozenset(operand.value)
    return found
