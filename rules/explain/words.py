"""Conditions in words, each from the operator that knows its own."""

from __future__ import annotations

from rules.policy.conditions import AllOf, AnyOf, Check, Condition, Not, OtherField, Test


def describe_condition(condition: Condition) -> str:
    """Return a condition as one line of words."""
    match condition:
        case Test():
            subject = condition.reference.path
            if condition.part is not None:
                subject = f"{condition.part} of {subject}"
            return " and ".join(describe_check(subject, check) for check in condition.checks)
        case Not():
            return f"not ({describe_condition(condition.item)})"
        case AllOf():
            return f"all of ({'; '.join(map(describe_condition, condition.items))})"
        case AnyOf():
            return f"any of ({'; '.join(map(describe_condition, condition.items))})"


def describe_check(subject: str, check: Check) -> str:
    """Return one operator's test in words, with the case rule where text is compared."""
    operand = check.operand
    against = operand.reference.path if isinstance(operand, OtherField) else operand.words
    words = check.operator.describe(subject, against)
    compares_text = check.operator.takes != "flag" and check.caseless
    return f"{words} (any case)" if compares_text else words
