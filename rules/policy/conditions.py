"""The condition tree: what an author wrote, resolved against the catalogue, with its places.

The tree is the one source of three readings: the closures that run, the words that explain, and
the list of fields a rule names.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

from rules.model.catalogue import FieldReference
from rules.operators.operator import Operator


@dataclass(frozen=True, slots=True)
class Location:
    """Where something stands in a file; lines and columns count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class ValueSource(StrEnum):
    """Where an author took the value of a condition from."""

    LITERAL = "literal"
    PARAM = "param"
    LIST = "list"


@dataclass(frozen=True, slots=True)
class LiteralValue:
    """A value known at load. `value` is what is stored, `words` what the author wrote.

    `name` is the param's or the named list's where the value comes from one.
    """

    value: Any
    words: str
    source: ValueSource = ValueSource.LITERAL
    name: str = ""


@dataclass(frozen=True, slots=True)
class OtherField:
    """Another field of the same change."""

    reference: FieldReference


Operand: TypeAlias = LiteralValue | OtherField


@dataclass(frozen=True, slots=True)
class Check:
    """One operator with what it compares the field to, and whether it does so without case."""

    operator: Operator
    operand: Operand
    caseless: bool
    place: Location


@dataclass(frozen=True, slots=True)
class Test:
    """One field under one or more operators, which must all hold."""

    # pytest would otherwise take the class for a test of its own.
    __test__ = False

    reference: FieldReference
    part: str | None
    checks: tuple[Check, ...]
    place: Location


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every one must hold; one that is false decides, whatever errs."""

    items: tuple[Condition, ...]
    place: Location


@dataclass(frozen=True, slots=True)
class AnyOf:
    """One must hold; one that is true decides, whatever errs."""

    items: tuple[Condition, ...]
    place: Location


@dataclass(frozen=True, slots=True)
class Not:
    """The condition must not hold; an error stays an error."""

    item: Condition
    place: Location


Condition: TypeAlias = Test | AllOf | AnyOf | Not


def tests_of(condition: Condition) -> Iterator[Test]:
    """Yield every field test of a tree."""
    match condition:
        case Test():
            yield condition
        case Not():
            yield from tests_of(condition.item)
        case AllOf() | AnyOf():
            for item in condition.items:
                yield from tests_of(item)


def references_of(condition: Condition) -> Iterator[FieldReference]:
    """Yield every field that a tree names, operands and old sides included."""
    for test in tests_of(condition):
        yield test.reference
        for check in test.checks:
            if isinstance(check.operand, OtherField):
                yield check.operand.reference
            if check.operator.needs_old:
                yield FieldReference("old", test.reference.key, test.reference.field)


def denies_transition(condition: Condition, *, negated: bool = False) -> bool:
    """Tell whether a becomes or changed stands under an odd number of `not`."""
    match condition:
        case Test():
            return negated and any(check.operator.needs_old for check in condition.checks)
        case Not():
            return denies_transition(condition.item, negated=not negated)
        case AllOf() | AnyOf():
            return any(denies_transition(item, negated=negated) for item in condition.items)
