"""`greater`, `greaterOrEquals`, `less`, `lessOrEquals`: numbers, times and lengths in order."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, ClassVar

from rules.operators.fields import FieldReader
from rules.operators.operator import ORDERED, Against, Operator, Run, compared, example_of


class _Order(Operator):
    kinds = ORDERED
    test: ClassVar[Callable[[Any, Any], bool]]

    def compile(self, subject: FieldReader, old: FieldReader | None, against: Against) -> Run:
        """Return the closure."""
        return compared(subject, against, type(self).test)


class Greater(_Order):
    """The value is above the other."""

    name = "greater"
    doc = "The number, time or length is greater than this."
    words = "is greater than"
    test = operator.gt
    opposite = "lessOrEquals"
    near = ("less", "greaterOrEquals")
    cel = "{new} > {value}"
    example = example_of("new.emailaddress", 5, "anna@b.de", "a@b.d", name=name, part="length")


class GreaterOrEquals(_Order):
    """The value is above the other or the same."""

    name = "greaterOrEquals"
    doc = "The number, time or length is this or greater."
    words = "is greater than or equals"
    test = operator.ge
    opposite = "less"
    near = ("greater",)
    cel = "{new} >= {value}"
    example = example_of("new.emailaddress", 5, "a@b.d", "a@b.", name=name, part="length")


class Less(_Order):
    """The value is below the other."""

    name = "less"
    doc = "The number, time or length is less than this."
    words = "is less than"
    test = operator.lt
    opposite = "greaterOrEquals"
    near = ("greater", "lessOrEquals")
    cel = "{new} < {value}"
    example = example_of("new.emailaddress", 6, "a@b.d", "aa@b.d", name=name, part="length")


class LessOrEquals(_Order):
    """The value is below the other or the same."""

    name = "lessOrEquals"
    doc = "The number, time or length is this or less."
    words = "is less than or equals"
    test = operator.le
    opposite = "greater"
    near = ("less",)
    cel = "{new} <= {value}"
    example = example_of("new.emailaddress", 5, "a@b.d", "aa@b.d", name=name, part="length")
