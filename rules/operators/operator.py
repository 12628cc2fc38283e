"""What an operator is: its name, the kinds of field it fits, what it takes, and its closure."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from rules.model.catalogue import Kind
from rules.operators.fields import FieldReader, View
from rules.operators.unknown import UnknownValue

Run = Callable[[View], Any]
"""A compiled condition; answers True, False or an UnknownValue."""

Takes = Literal["one", "many", "flag", "pattern"]


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
    """One way to test a field."""

    name: ClassVar[str]
    doc: ClassVar[str]
    kinds: ClassVar[frozenset[Kind]]
    takes: ClassVar[Takes] = "one"
    words: ClassVar[str]
    needs_old: ClassVar[bool] = False
    example: ClassVar[Example]

    @abstractmethod
    def compile(self, subject: FieldReader, old: FieldReader | None, against: Against) -> Run:
        """Return the closure that tests the subject against a constant or another field."""

    def describe(self, subject: str, against: str) -> str:
        """Return the test in words."""
        return f"{subject} {self.words} {against}"

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
