"""A policy read out: what it asks of which changes, as sentences for who wrote none of it.

Where an explanation names every test as its author wrote it, a sentence reads as one is spoken:
`emailaddress has changed`, not `new.emailaddress changed: true`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from rules.model.catalogue import FieldReference
from rules.policy.conditions import (
    AllOf,
    AnyOf,
    Check,
    Condition,
    LiteralValue,
    Not,
    OtherField,
    Test,
    ValueSource,
)
from rules.policy.messages import value_words
from rules.policy.policy import Rule, TablePolicy

_OTHERWISE: Final = {
    "reject": "the change is rejected",
    "hold": "the change is held until a second person agrees",
    "skip": "the message is skipped",
    "metadata-only": "the message is kept without its content",
}
# What is asked by a flag has a phrase for each answer; any other is said by its operator.
_FLAGS: Final = {
    ("exists", True): "is filled",
    ("exists", False): "is empty",
    ("changed", True): "has changed",
    ("changed", False): "has not changed",
}
_PLAIN: Final = {"equals": "is", "notEquals": "is not"}


def scope_sentence(table: TablePolicy) -> str:
    """Return which changes a policy is about: `Every create or update of mailbox where …`."""
    operations = " or ".join(sorted(table.operations))
    where = f" where {_all(table.when)}" if table.when else ""
    return f"Every {operations} of {table.table}{where}."


def rule_sentence(rule: Rule) -> str:
    """Return what a rule requires, of what, except where, and what happens otherwise."""
    where = f"Where {_all(rule.when)}, it must be that " if rule.when else "It must be that "
    unless = f", unless {_all(rule.unless)}" if rule.unless else ""
    return f"{where}{_all(rule.require)}{unless}. Otherwise {_OTHERWISE[rule.effect]}."


def read_out(condition: Condition) -> str:
    """Return a condition as it is spoken."""
    match condition:
        case Test():
            return " and ".join(_check(condition, check) for check in condition.checks)
        case Not():
            return f"it is not so that {_inner(condition.item)}"
        case AllOf():
            return " and ".join(map(_inner, condition.items))
        case AnyOf():
            return "either " + " or ".join(map(_inner, condition.items))


def _all(conditions: Iterable[Condition]) -> str:
    return ", and ".join(map(read_out, conditions))


def _inner(condition: Condition) -> str:
    is_group = isinstance(condition, AllOf | AnyOf | Not) or len(condition.checks) > 1
    return f"({read_out(condition)})" if is_group else read_out(condition)


def _check(test: Test, check: Check) -> str:
    subject = _field(test.reference)
    if test.part is not None:
        subject = f"the {test.part} of {subject}"
    operand = check.operand
    if isinstance(operand, OtherField):
        against = _field(operand.reference)
    elif check.operator.takes == "flag":
        phrase = _FLAGS.get((check.operator.name, bool(operand.value)))
        if phrase is not None:
            return f"{subject} {phrase}"
        against = operand.words
    else:
        against = _literal(operand, test.reference)
    plain = _PLAIN.get(check.operator.name)
    if plain is not None:
        return f"{subject} {plain} {against}"
    return check.operator.describe(subject, against)


def _literal(operand: LiteralValue, reference: FieldReference) -> str:
    if operand.source is ValueSource.PARAM:
        return f"{value_words(operand.value, reference)} (the param {operand.name})"
    return operand.words


def _field(reference: FieldReference) -> str:
    path = reference.path
    if path.startswith("old."):
        return f"the earlier {path.removeprefix('old.')}"
    return path.removeprefix("new.").removeprefix("facts.")
