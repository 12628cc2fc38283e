"""`becomes`: the new value is this, the old one is not."""

from __future__ import annotations

from typing import Any

from rules.operators.fields import FieldReader, View
from rules.operators.operator import SCALARS, Against, Example, Operator, Run, equal_to
from rules.operators.unknown import UnknownValue


class Becomes(Operator):
    """The new value is this, the old one is not."""

    name = "becomes"
    doc = "The field holds this value now and did not before; on create the value is enough."
    kinds = SCALARS
    words = "becomes"
    needs_old = True
    answers_empty = True
    pins_value = True
    near = ("exists",)
    cel = "({has_new} ? ({new} == {value} ? ({has_old} ? {old} != {value} : true) : false) : false)"
    example = Example(
        {"field": "new.emailrouteraccessapproval", "becomes": "approved"},
        {"new.emailrouteraccessapproval": 1, "old.emailrouteraccessapproval": 2},
        {"new.emailrouteraccessapproval": 1, "old.emailrouteraccessapproval": 1},
    )

    def compile(self, subject: FieldReader, old: FieldReader | None, against: Against) -> Run:
        """Return the closure; an empty side is a value that differs from every other."""
        assert old is not None  # noqa: S101 - the loader gives both sides.
        now, earlier = equal_to(subject, against), equal_to(old, against)

        def becomes(v: View) -> Any:
            a = now(v)
            if a is not True:
                return False if a.__class__ is UnknownValue and a.empty else a
            b = earlier(v)
            if b.__class__ is UnknownValue:
                return True if b.empty else b
            return not b

        return becomes

    def needs_difference(self, constant: Any) -> bool:
        """Return true: what holds the value on both sides does not become it."""
        return True
