"""Policies made ready to run: closures for match, rules and exceptions, and the facts they name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeAlias

from rules.engine.closures import compile_all
from rules.model.catalogue import FieldReference, Kind
from rules.model.decision import Finding, Outcome
from rules.model.effects import EFFECT_SETS, Effect
from rules.operators.fields import TIME, FieldReaders, Readers, View, fill
from rules.operators.operator import Run
from rules.policy.conditions import (
    AllOf,
    AnyOf,
    Check,
    Condition,
    LiteralValue,
    OtherField,
    Test,
    denies_transition,
    references_of,
    tests_of,
)
from rules.policy.messages import Render, compile_message
from rules.policy.policy import Policy, PolicyException, Rule, TablePolicy, trees_of

Trigger: TypeAlias = "str | tuple[str, int | str | bool]"
"""A column that must differ, alone or with the value that it must then have."""


ERROR_HELP: Final = (
    "Make the change again in a moment. If this stays, ask whoever keeps the policies."
)

# As outcomes of a decision, the two sets of effects are equally strong.
_BY_EFFECT: Final[Mapping[Effect, Outcome]] = {
    effect: outcome
    for one in EFFECT_SETS
    for effect, outcome in zip(one.effects, (Outcome.REJECT, Outcome.HOLD), strict=True)
}


@dataclass(frozen=True, slots=True, eq=False)
class CompiledRule:
    """A rule ready to run. `run` answers None (does not apply), True, False or an
    UnknownValue.

    `readers` read what it needs at once; what is only needed once its `when` holds, it reads
    itself. `failed` and `erred` are its findings, whole but for what a change adds. `scannable` is
    false for a rule that cannot be judged on a row alone.
    """

    id: str
    rule: Rule
    run: Run
    readers: Readers
    render: Render
    failed: Finding
    erred: Finding
    scannable: bool


@dataclass(frozen=True, slots=True, eq=False)
class CompiledException:
    """An exception ready to be looked up for a rule that failed."""

    exception: PolicyException
    ends: datetime
    match: Run | None
    readers: Readers


@dataclass(frozen=True, slots=True, eq=False)
class CompiledPolicy:
    """One policy on one table, ready to run.

    `triggers` are the columns of which one must differ for `match` to hold, with the value that it
    must then have where a choice or a boolean `becomes` one; None when the policy
    may match without. `facts` are the paths of every fact named anywhere in it; `is_timed` tells
    whether it names the time of the decision. `steps` repeats
    each rule beside its closure, and its id if the policy is enforced: what the hot loop reads;
    `readers` read the fields that `match` and the first conditions of the rules name.
    """

    policy: Policy
    operations: frozenset[str]
    match: Run | None
    rules: tuple[CompiledRule, ...]
    exceptions: tuple[CompiledException, ...]
    triggers: frozenset[Trigger] | None
    facts: frozenset[str]
    scan_facts: frozenset[str]
    is_timed: bool
    steps: tuple[tuple[Run, str | None, CompiledRule], ...]
    readers: Readers


def compile_policy(policy: Policy, table: TablePolicy, readers: FieldReaders) -> CompiledPolicy:
    """Return a policy on one table, compiled; rules stand in the order of their ids."""
    scannable_match = _is_scannable(table.when)
    rules = tuple(
        _compile_rule(policy, rule, readers, scannable=scannable_match)
        for rule in sorted(table.rules, key=lambda rule: rule.id)
    )
    matching = readers.sharing()
    match = compile_all(table.when, matching)
    exceptions = tuple(
        _compile_exception(one, readers.sharing())
        for one in sorted(table.exceptions, key=lambda one: one.name)
    )
    enforced = policy.mode == "enforce"
    named = _references(table)
    facts = frozenset(ref.path for ref in named if ref.is_fact)
    return CompiledPolicy(
        policy=policy,
        operations=table.operations,
        match=match,
        rules=rules,
        exceptions=exceptions,
        triggers=_triggers(table.when),
        facts=facts,
        # A row has no actor and no past; rules that read them are named and not judged.
        scan_facts=frozenset(p for p in facts if not p.startswith(("actor.", "old."))),
        is_timed=any(ref.path == TIME for ref in named),
        # Repeated flat, so that the loop over them looks up no attributes.
        steps=tuple((rule.run, rule.id if enforced else None, rule) for rule in rules),
        readers=(*matching.used, *(one for rule in rules for one in rule.readers)),
    )


def _compile_exception(exception: PolicyException, readers: FieldReaders) -> CompiledException:
    match = compile_all(exception.when, readers)
    return CompiledException(exception, exception.ends, match, readers.used)


def _compile_rule(
    policy: Policy, rule: Rule, readers: FieldReaders, *, scannable: bool
) -> CompiledRule:
    first, rest = readers.sharing(), readers.sharing()
    when = compile_all(rule.when, first)
    unless = compile_all(rule.unless, rest)
    require = compile_all(rule.require, rest)
    assert require is not None  # noqa: S101 - the loader refuses a rule without it.
    run = require if unless is None else _unless(unless, require)
    # Most rules do not apply to most changes: what only `require` names is not read until then.
    later = tuple(reader for reader in rest.used if reader not in first.used)
    failed = _failed(policy, rule)
    is_rejecting = policy.mode == "enforce" and policy.on_error == "reject"
    return CompiledRule(
        id=failed.id,
        rule=rule,
        run=run if when is None else _when(when, run, later),
        readers=rest.used if when is None else first.used,
        render=compile_message(rule.message),
        failed=failed,
        erred=failed.but(
            result="error",
            effect="error",
            # What the author advises is for whom the rule fails, not for what is not known.
            help=ERROR_HELP,
            contributes=Outcome.REJECT if is_rejecting else Outcome.ALLOW,
        ),
        scannable=scannable and _is_scannable((*rule.when, *rule.unless, *rule.require)),
    )


def _failed(policy: Policy, rule: Rule) -> Finding:
    contributes = {"enforce": _BY_EFFECT[rule.effect], "warn": Outcome.WARN}
    effect: Any = rule.effect if policy.mode == "enforce" else policy.mode
    return Finding(
        policy=policy.name,
        rule=rule.id,
        id=f"{policy.name}/{rule.id}",
        result="fail",
        mode=policy.mode,
        effect=effect,
        declared=rule.effect,
        severity=rule.severity,
        message="",
        help=rule.help,
        exception=None,
        error=None,
        contributes=contributes.get(policy.mode, Outcome.ALLOW),
    )


def _when(when: Run, then: Run, readers: Readers) -> Run:
    """Return the closure of a rule that applies only when these conditions hold."""

    def guarded(v: View) -> Any:
        answer = when(v)
        if answer is not True:
            return None if answer is False else answer
        if readers:
            fill(v, readers)
        return then(v)

    return guarded


def _unless(unless: Run, require: Run) -> Run:
    """Return the closure of a rule that does not apply when these conditions hold."""

    def excusing(v: View) -> Any:
        answer = unless(v)
        if answer is False:
            return require(v)
        return None if answer is True else answer

    return excusing


def _references(table: TablePolicy) -> list[FieldReference]:
    found = [reference for tree in trees_of(table) for reference in references_of(tree)]
    for rule in table.rules:
        # In every language: whoever is told in another one is told what the rule saw, too.
        for message in rule.messages:
            found += [piece for piece in message.pieces if isinstance(piece, FieldReference)]
    return found


def _is_scannable(trees: tuple[Condition, ...]) -> bool:
    """Tell whether conditions can be judged on a row without a change.

    What the actor or the request is and what stood there before cannot be known of a row; becomes
    and changed can, unless they are denied.
    """
    for tree in trees:
        if denies_transition(tree):
            return False
        for reference in _own_references(tree):
            if reference.root in ("actor", "request", "old"):
                return False
    return True


def _own_references(tree: Condition) -> list[FieldReference]:

    found: list[FieldReference] = []
    for test in tests_of(tree):
        found.append(test.reference)
        found += [c.operand.reference for c in test.checks if isinstance(c.operand, OtherField)]
    return found


def _triggers(when: tuple[Condition, ...]) -> frozenset[Trigger] | None:
    """Return the smallest set of columns of which one must differ for all of `when` to hold."""
    # All must hold, so any one of them may stand guard: the narrowest passes over the most changes.
    found = [keys for keys in map(_condition_triggers, when) if keys is not None]
    return min(found, key=len) if found else None


def _condition_triggers(condition: Condition) -> frozenset[Trigger] | None:

    match condition:
        case Test():
            if condition.reference.is_fact:
                return None
            for check in condition.checks:
                constant = check.operand.value if isinstance(check.operand, LiteralValue) else None
                if check.operator.needs_difference(constant):
                    return frozenset({_trigger(condition.reference, check)})
            return None
        case AllOf():
            return _triggers(condition.items)
        case AnyOf():
            # One branch that can hold without a difference lets the whole hold without one.
            several = [_condition_triggers(item) for item in condition.items]
            known = [keys for keys in several if keys is not None]
            return frozenset().union(*known) if len(known) == len(several) else None
        case _:
            return None


def _trigger(reference: FieldReference, check: Check) -> Trigger:
    # Only these two kinds are compared as they are stored; text may be folded.
    plain = reference.field.kind in (Kind.CHOICE, Kind.BOOLEAN)
    if plain and check.operator.pins_value and isinstance(check.operand, LiteralValue):
        return reference.key, check.operand.value
    return reference.key
