"""Conditions, rules and findings in words, each from the operator that knows its own."""

from __future__ import annotations

from rules.model.decision import Finding
from rules.policy.conditions import AllOf, AnyOf, Check, Condition, Not, OtherField, Test
from rules.policy.policy import Rule

_MARKS = {
    "reject": "x", "skip": "x", "hold": "~", "metadata-only": "~", "warn": "!", "error": "?",
    "audit": "-",
}  # fmt: skip


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


def describe_rule(rule: Rule) -> list[str]:
    """Return a rule as lines: when it applies, what it requires, what excuses it."""
    lines = [f"when    {describe_condition(one)}" for one in rule.when]
    lines += [f"require {describe_condition(one)}" for one in rule.require]
    lines += [f"unless  {describe_condition(one)}" for one in rule.unless]
    return lines


def describe_finding(finding: Finding) -> list[str]:
    """Return a finding as the lines that people read: id, severity, message, help, exception."""
    mark = "v" if finding.exception is not None else _MARKS[finding.effect]
    note: str = finding.effect
    if finding.result == "error" and finding.contributes.value == "reject":
        note = "error, rejects"
    elif finding.effect == "audit":
        note = f"audit, would {finding.declared}"
    elif finding.exception is not None:
        note = f"excepted by {finding.exception}"
    lines = [f"{mark} {finding.id}  ({finding.severity}, {note})", f'  "{finding.message}"']
    if finding.help and finding.exception is None:
        lines.append(f"  fix  {finding.help}")
    return lines
