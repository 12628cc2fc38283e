"""`equals` and `notEquals`: the field holds the value, or another one."""

from __future__ import annotations

import operator

from rules.operators.fields import FieldReader
from rules.operators.operator import (
    SCALARS,
    Against,
    Operator,
    Run,
    compared,
    equal_to,
    example_of,
)


class Equals(Operator):
    """Both values are the same, by the field's case rule."""

    name = "equals"
    doc = "The field holds this value."
    kinds = SCALARS
    words = "equals"
    pins_value = True
    opposite = "notEquals"
    cel = "{new} == {value}"
    example = example_of(
        "new.emailaddress", "anna@contoso.com", "Anna@Contoso.com", "bob@contoso.com", name=name
    )

    def compile(self, subject: FieldReader, old: FieldReader | None, against: Against) -> Run:
        """Return the closure."""
        return equal_to(subject, against)


class NotEquals(Operator):
    """Both values differ, by the field's case rule."""

    name = "notEquals"
    doc = "The field holds another value; an empty field is an error."
    kinds = SCALARS
    words = "does not equal"
    opposite = "equals"
    cel = "{new} != {value}"
    example = example_of("new.statecode", "inactive", 0, 1, name=name)

    def compile(self, subject: FieldReader, old: FieldReader | None, against: Against) -> Run:
        """Return the closure."""
        return compared(subject, against, operator.ne)
