"""The walker over condition trees: the same tree that the closures run, with every value kept.

It knows nothing of how trees are compiled into one closure: it asks each operator alone and
combines the answers by itself, so that a property can hold the two readings against each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from rules.engine.closures import compile_check
from rules.explain.words import describe_check
from rules.model.catalogue import FieldReference, Kind
from rules.model.change import Change, Facts
from rules.operators.fields import CHANGE, FACTS, FieldReaders, fill, raw_reader
from rules.operators.unknown import UnknownValue
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
from rules.policy.messages import value_words

Answer: TypeAlias = "bool | UnknownValue"
_Look = Callable[[Change, Facts], "tuple[Answer, tuple[str, ...]]"]

GROUPS: Final = {AllOf: "all of", AnyOf: "any of", Not: "not"}


@dataclass(frozen=True, slots=True)
class Trace:
    """One condition as it went: its words, the values it saw, its answer and where it stands.

    A group has `items` and no values; a field under several operators is a group of them.
    """

    words: str
    values: tuple[str, ...]
    answer: Answer
    place: Location
    items: tuple[Trace, ...] = ()

    def leaves(self) -> Iterator[Trace]:
        """Yield every operator's test below."""
        if not self.items:
            yield self
        for item in self.items:
            yield from item.leaves()


class Tracer:
    """Walks trees; what it prepares for a test is kept as long as it lives."""

    def __init__(self) -> None:
        # The check is kept beside what was prepared for it, so that its identity stays its own.
        self._prepared: dict[tuple[int, int], tuple[Test, Check, str, _Look]] = {}

    def trace_all(
        self, conditions: Iterable[Condition], change: Change, facts: Facts
    ) -> tuple[Trace, ...]:
        """Return the traces of conditions that must all hold."""
        return tuple(self.trace(one, change, facts) for one in conditions)

    def trace(self, condition: Condition, change: Change, facts: Facts) -> Trace:
        """Return one tree as it went on this change."""
        match condition:
            case Test():
                items = tuple(self._check(condition, c, change, facts) for c in condition.checks)
                if len(items) == 1:
                    return items[0]
                return Trace("all of", (), all_hold(items), condition.place, items)
            case AllOf():
                items = self.trace_all(condition.items, change, facts)
                return Trace("all of", (), all_hold(items), condition.place, items)
            case AnyOf():
                items = self.trace_all(condition.items, change, facts)
                return Trace("any of", (), _any_holds(items), condition.place, items)
            case Not():
                item = self.trace(condition.item, change, facts)
                answer = item.answer if isinstance(item.answer, UnknownValue) else not item.answer
                return Trace("not", (), answer, condition.place, (item,))

    def _check(self, test: Test, check: Check, change: Change, facts: Facts) -> Trace:
        key = (id(test), id(check))
        if key not in self._prepared:
            self._prepared[key] = (test, check, _words(test, check), _look(test, check))
        _, _, words, look = self._prepared[key]
        answer, values = look(change, facts)
        return Trace(words, values, answer, check.place)


def all_hold(items: Iterable[Trace]) -> Answer:
    """Return True, False if one is false, whatever errs, or the errors of all."""
    answers = [item.answer for item in items]
    return False if False in answers else _unknown_or(answers, otherwise=True)


def _any_holds(items: Iterable[Trace]) -> Answer:
    answers = [item.answer for item in items]
    return True if True in answers else _unknown_or(answers, otherwise=False)


def _unknown_or(answers: Iterable[Answer], *, otherwise: bool) -> Answer:
    unknown: UnknownValue | None = None
    for answer in answers:
        if isinstance(answer, UnknownValue):
            unknown = answer if unknown is None else unknown.joined(answer)
    return otherwise if unknown is None else unknown


def _words(test: Test, check: Check) -> str:
    subject = test.reference.path
    return describe_check(f"{test.part} of {subject}" if test.part else subject, check)


def _look(test: Test, check: Check) -> _Look:
    """Return a function that asks the operator and reads what it compared."""
    readers = FieldReaders()
    run = compile_check(test, check, readers)
    used, blank = readers.used, readers.blank
    show = _shown(test, check, readers)

    def look(change: Change, facts: Facts) -> tuple[Answer, tuple[str, ...]]:
        view = blank.copy()
        view[CHANGE], view[FACTS] = change, facts
        fill(view, used)
        return run(view), show(change, facts)

    return look


def _shown(
    test: Test, check: Check, readers: FieldReaders
) -> Callable[[Change, Facts], tuple[str, ...]]:
    reference, operand = test.reference, check.operand
    # A part is shown as it was compared, a whole field as it was sent.
    compared = readers.reader(reference, part=test.part, caseless=check.caseless).read
    subject = compared if test.part else raw_reader(reference)
    several = (
        readers.members(operand.value, caseless=check.caseless)
        if isinstance(operand, LiteralValue) and check.operator.takes == "many"
        else frozenset()
    )
    earlier = raw_reader(FieldReference("old", reference.key, reference.field))
    theirs = raw_reader(operand.reference) if isinstance(operand, OtherField) else None

    def show(change: Change, facts: Facts) -> tuple[str, ...]:
        own = shown_value(subject(change, facts), reference)
        if check.operator.needs_old:
            own = f"{shown_value(earlier(change, facts), reference)} -> {own}"
        if isinstance(operand, OtherField) and theirs is not None:
            return own, shown_value(theirs(change, facts), operand.reference)
        if isinstance(operand, LiteralValue) and operand.source is ValueSource.PARAM:
            return own, shown_value(operand.value, reference)
        value = compared(change, facts)
        if several and isinstance(value, str):
            pointed_out = check.operator.point_out(value, several)
            return (own,) if pointed_out is None else (own, f'"{pointed_out}"')
        return (own,)

    return show


def shown_value(value: Any, reference: FieldReference) -> str:
    """Return a value as an explanation shows it: text in quotes, choices by label."""
    if value.__class__ is UnknownValue:
        return "(empty)" if value.empty else "(not known)"
    if isinstance(value, tuple | list | set | frozenset):
        members = sorted(value) if isinstance(value, set | frozenset) else value
        return f"[{value_words(members) if members else ''}]"
    words = value_words(value, reference)
    is_text = isinstance(value, str) and value != "" and reference.field.kind is not Kind.CHOICE
    return f'"{words}"' if is_text else words
