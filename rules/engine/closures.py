"""Condition trees become closures: each takes a View and answers yes, no or an UnknownValue."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rules.model.catalogue import FieldReference
from rules.operators.fields import FieldReader, FieldReaders, View, fold
from rules.operators.operator import Against, Constant, Run
from rules.operators.patterns import Pattern
from rules.operators.unknown import UnknownValue
from rules.policy.conditions import AllOf, AnyOf, Check, Condition, Not, OtherField, Test


def compile_all(conditions: Sequence[Condition], readers: FieldReaders) -> Run | None:
    """Return one closure for conditions that must all hold; None when there are none."""
    return _all([compile_condition(one, readers) for one in conditions]) if conditions else None


def compile_condition(condition: Condition, readers: FieldReaders) -> Run:
    """Return the closure of one tree."""
    match condition:
        case Test():
            return _all([compile_check(condition, check, readers) for check in condition.checks])
        case AllOf():
            return _all([compile_condition(item, readers) for item in condition.items])
        case AnyOf():
            return _any([compile_condition(item, readers) for item in condition.items])
        case Not():
            return _not(compile_condition(condition.item, readers))


def compile_check(test: Test, check: Check, readers: FieldReaders) -> Run:
    """Return the closure of one operator of a field test."""
    subject = readers.reader(test.reference, part=test.part, caseless=check.caseless)
    old = None
    if check.operator.needs_old:
        before = FieldReference("old", test.reference.key, test.reference.field)
        old = readers.reader(before, part=test.part, caseless=check.caseless)
    return check.operator.compile(subject, old, _against(subject, check, readers))


def _against(subject: FieldReader, check: Check, readers: FieldReaders) -> Against:
    operand = check.operand
    if isinstance(operand, OtherField):
        return readers.reader(operand.reference, caseless=subject.caseless)
    value = operand.value
    match check.operator.takes:
        case "pattern":
            return Constant(Pattern(value, caseless=subject.caseless))
        case "many":
            return Constant(readers.members(value, caseless=subject.caseless))
        case _:
            return Constant(_folded(subject, value))


def _folded(subject: FieldReader, value: Any) -> Any:
    return fold(value) if subject.caseless and isinstance(value, str) else value


def _not(run: Run) -> Run:
    def negated(v: View) -> Any:
        answer = run(v)
        return answer if answer.__class__ is UnknownValue else not answer

    return negated


def _all(runs: list[Run]) -> Run:
    if len(runs) == 1:
        return runs[0]
    if len(runs) == 2:
        first, second = runs

        def both(v: View) -> Any:
            a = first(v)
            if a is False:
                return False
            b = second(v)
            if b is False or a is True:
                return b
            return a.joined(b) if b.__class__ is UnknownValue else a

        return both
    several = tuple(runs)

    def every(v: View) -> Any:
        unknown = None
        for run in several:
            answer = run(v)
            if answer is True:
                continue
            if answer is False:
                return False
            unknown = answer if unknown is None else unknown.joined(answer)
        return True if unknown is None else unknown

    return every


def _any(runs: list[Run]) -> Run:
    if len(runs) == 1:
        return runs[0]
    several = tuple(runs)

    def some(v: View) -> Any:
        unknown = None
        for run in several:
            answer = run(v)
            if answer is True:
                return True
            if answer is not False:
                unknown = answer if unknown is None else unknown.joined(answer)
        return False if unknown is None else unknown

    return some
