"""What a policy means, apart from how it is written: equal meanings give equal decisions.

Titles, messages, help and severities, the order of conditions and rules, and where things stand
have no part in it.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import replace
from datetime import datetime
from typing import TypeAlias

from rules.explain.words import describe_check
from rules.policy.conditions import AllOf, AnyOf, Check, Condition, Not, OtherField, Test
from rules.policy.policy import Policy, PolicyException, Rule

Meaning: TypeAlias = "tuple[object, ...]"


def meaning_of(policy: Policy) -> Meaning:
    """Return what decisions of a policy depend on, its name apart."""
    return (
        policy.mode,
        policy.on_error if policy.mode == "enforce" else "",
        tuple(
            (
                name,
                tuple(sorted(table.operations)),
                conditions_meaning(table.when),
                tuple(sorted(rule_meaning(rule) for rule in table.rules)),
                tuple(sorted(_exception_meaning(one) for one in table.exceptions)),
            )
            for name, table in sorted(policy.tables.items())
        ),
    )


def rules_alone(policy: Policy, kept: Container[str]) -> Policy:
    """Return the policy with these rules only, by their ids, and what excepts them.

    Its decisions are those of the whole policy without what the other rules find.
    """
    tables = {
        name: replace(
            table,
            rules=tuple(rule for rule in table.rules if rule.id in kept),
            exceptions=tuple(
                one for one in table.exceptions if any(rule in kept for rule in one.rules)
            ),
        )
        for name, table in policy.tables.items()
    }
    return replace(policy, tables={name: one for name, one in tables.items() if one.rules})


def rule_meaning(rule: Rule) -> tuple[str, str, str, str, str]:
    """Return what the answers of a rule depend on."""
    return (
        rule.id,
        rule.effect,
        conditions_meaning(rule.when),
        conditions_meaning(rule.require),
        conditions_meaning(rule.unless),
    )


def _exception_meaning(exception: PolicyException) -> tuple[str, tuple[str, ...], datetime, str]:
    return (
        exception.name,
        tuple(sorted(exception.rules)),
        exception.ends,
        conditions_meaning(exception.when),
    )


def conditions_meaning(conditions: Iterable[Condition]) -> str:
    """Return the meaning of conditions that must all hold, whatever their order."""
    return "; ".join(sorted(condition_meaning(one) for one in conditions))


def condition_meaning(condition: Condition) -> str:
    """Return one tree with its values, groups in a fixed order."""
    match condition:
        case Test():
            return " and ".join(sorted(_check_meaning(condition, one) for one in condition.checks))
        case Not():
            return f"not ({condition_meaning(condition.item)})"
        case AllOf():
            return f"all of ({conditions_meaning(condition.items)})"
        case AnyOf():
            return f"any of ({conditions_meaning(condition.items)})"


def _check_meaning(test: Test, check: Check) -> str:
    field = test.reference.field
    subject = f"{test.part} of {test.reference.path}" if test.part else test.reference.path
    words = describe_check(subject, check)
    value = "" if isinstance(check.operand, OtherField) else repr(check.operand.value)
    # Without the kind, a catalogue that calls a field something else would go unnoticed.
    return f"{words} [{field.kind.value} {check.caseless}] {value}"
