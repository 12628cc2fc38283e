"""The meaning of a condition without its place, so that two of them can be told to be the same."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rules.policy.conditions import AllOf, AnyOf, Condition, Not, OtherField, Test


def shape_of(condition: Condition) -> tuple[Any, ...]:
    """Return a value that is equal for conditions that mean the same, and hashable."""
    match condition:
        case Test():
            checks = sorted(
                (
                    check.operator.name,
                    check.caseless,
                    f"field {check.operand.reference.path}"
                    if isinstance(check.operand, OtherField)
                    else repr(check.operand.value),
                )
                for check in condition.checks
            )
            return ("test", condition.reference.path, condition.part or "", *checks)
        case Not():
            return ("not", shape_of(condition.item))
        case AllOf():
            return ("all", *shapes_of(condition.items))
        case AnyOf():
            return ("any", *shapes_of(condition.items))


def shapes_of(conditions: Iterable[Condition]) -> tuple[Any, ...]:
    """Return the shapes of conditions in an order that does not depend on the author's."""
    return tuple(sorted((shape_of(one) for one in conditions), key=repr))
