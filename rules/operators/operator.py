"""What an operator is: everything that the language, its tools and its tests know of one.

Terms:

- *subject*: the field that a condition names, read and folded by a FieldReader;
- *old*: the same field before the change;
- *against*: what the subject is compared with: a constant of the policy, or another field;
- *kind*: what a field holds, as the catalogue says;
- a *run* takes the View of one change and answers True, False, or an UnknownValue, which is never
  taken for either.

The loader, the JSON Schemas, the explanations, the mutants of `policy test`, the documentation and
the tests ask the operator alone, so that adding one is adding one class.
"""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal

from rules.model.catalogue import Kind
from rules.operators.fields import FieldReader, View
from rules.operators.unknown import UnknownValue

Run = Callable[[View], Any]
"""A compiled condition; answers True, False or an UnknownValue."""

Takes = Literal["one", "many", "flag", "pattern"]
Reach = Literal["whole", "start", "end", "piece", "pattern"]

SCALARS: Final = frozenset(
    {Kind.STRING, Kind.CHOICE, Kind.NUMBER, Kind.BOOLEAN, Kind.DATETIME, Kind.LOOKUP}
)
TEXTS: Final = frozenset({Kind.STRING, Kind.LOOKUP})
ORDERED: Final = frozenset({Kind.NUMBER, Kind.DATETIME})
ANY: Final = SCALARS | {Kind.LIST}


@dataclass(frozen=True, slots=True)
class Constant:
    """A value known at load, already in the form in which the subject's values are compared."""

    value: Any


Against = Constant | FieldReader


@dataclass(frozen=True, slots=True)
class Example:
    """One documented use: a condition, a value for which it holds, one for which it does not."""

    condition: Mapping[str, Any]
    holds: Mapping[str, Any]
    fails: Mapping[str, Any]


class Operator(ABC):
    """One way to test a field.

    What a class states:

    - `name`: what an author writes; `words`: how an explanation says it, between subject and value;
    - `doc`: when it holds, in sentences that end with a full stop;
    - `kinds`: the kinds of field that it fits; `takes`: what may be written behind it;
    - `reach`: how much of a text a literal stands for;
    - `needs_old`: it reads the field before the change too, so it fits only columns of the record;
    - `answers_empty`: an empty field is an answer, and not an error as it is everywhere else;
    - `pins_value`: when it holds against a constant, the new value is that constant;
    - `opposite`: the operator that answers False where this one answers True and the other way
      round, on every value that is there; None when no operator does;
    - `near`: other operators that an author may have meant, which mutants put in its place;
    - `example`: one use with a value for which it holds and one for which it fails;
    - `samples`: texts to try it with, beside those that fields are likely to hold;
    - `cel` and `cel_of_list`: what it means, said in Google's Common Expression Language, of a
      field with one value and of one with several. `{new}` and `{old}` stand for the two sides of
      the field, `{has_new}` and `{has_old}` for whether they hold something, `{value}` for what it
      is compared with. None where CEL cannot say it. A test lets Google's engine judge us by this.
    """

    name: ClassVar[str]
    doc: ClassVar[str]
    kinds: ClassVar[frozenset[Kind]]
    takes: ClassVar[Takes] = "one"
    words: ClassVar[str]
    reach: ClassVar[Reach] = "whole"
    needs_old: ClassVar[bool] = False
    answers_empty: ClassVar[bool] = False
    pins_value: ClassVar[bool] = False
    opposite: ClassVar[str | None] = None
    near: ClassVar[tuple[str, ...]] = ()
    example: ClassVar[Example]
    samples: ClassVar[tuple[str, ...]] = ()
    cel: ClassVar[str | None]
    cel_of_list: ClassVar[str | None] = None

    @abstractmethod
    def compile(self, subject: FieldReader, old: FieldReader | None, against: Against) -> Run:
        """Return the closure that tests the subject; `old` is given where `needs_old` asks for it.

        The closure answers an UnknownValue for a side that is one, except where the operator asks
        for emptiness, and raises nothing whatever the values are.
        """

    def describe(self, subject: str, against: str) -> str:
        """Return the test in words."""
        return f"{subject} {self.words} {against}"

    def needs_difference(self, constant: Any) -> bool:
        """Tell whether it can hold only where new and old differ; the index leans on it.

        `constant` is what it is compared with, None for another field. In doubt, False.
        """
        return False

    def point_out(self, text: str, texts: frozenset[str]) -> str | None:
        """Return the one of several texts that decided, where that is not the text itself."""
        return None


def example_of(
    field: str, value: Any, holds: Any, fails: Any, *, name: str, **more: Any
) -> Example:
    """Return the example of one field; its condition is written with `name`."""
    condition = {"field": field, **more, name: value}
    return Example(condition, {field: holds}, {field: fails})


def compared(subject: FieldReader, against: Against, test: Callable[[Any, Any], bool]) -> Run:
    """Return a closure for any test of two values that are both there."""
    index = subject.index
    if isinstance(against, FieldReader):
        other = against.index

        def fields(v: View) -> Any:
            a, b = v[index], v[other]
            if a.__class__ is UnknownValue:
                return a.joined(b) if b.__class__ is UnknownValue else a
            return b if b.__class__ is UnknownValue else test(a, b)

        return fields
    value = against.value

    def constant(v: View) -> Any:
        a = v[index]
        return a if a.__class__ is UnknownValue else test(a, value)

    return constant


def equal_to(subject: FieldReader, against: Against) -> Run:
    """Return the closure that tells whether both values are the same.

    It is by far the commonest test, so it compares in place where `compared` would call.
    """
    if isinstance(against, FieldReader):
        return compared(subject, against, operator.eq)
    index, value = subject.index, against.value

    def equals(v: View) -> Any:
        a = v[index]
        return a if a.__class__ is UnknownValue else a == value

    return equals
