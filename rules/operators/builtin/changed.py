"""`changed`: the new value and the old one differ, or do not."""

from __future__ import annotations

from typing import Any

from rules.operators.fields import SCANNING, FieldReader, View
from rules.operators.operator import ANY, Against, Constant, Example, Operator, Run
from rules.operators.unknown import UnknownValue


class Changed(Operator):
    """The new value and the old one differ, by the field's case rule."""

    name = "changed"
    doc = "New and old differ (true) or not (false); on create any value is a change."
    kinds = ANY
    takes = "flag"
    words = "changed:"
    needs_old = True
    answers_empty = True
    # A side compared with itself is true, or an error where the side cannot be read.
    cel = cel_of_list = (
        "({has_new} ? ({has_old} ? {new} != {old} : {new} == {new})"
        " : ({has_old} ? {old} == {old} : false)) == {value}"
    )
    example = Example(
        {"field": "new.emailaddress", "changed": True},
        {"new.emailaddress": "a@contoso.com", "old.emailaddress": "b@contoso.com"},
        {"new.emailaddress": "a@contoso.com", "old.emailaddress": "A@Contoso.com"},
    )

    def compile(self, subject: FieldReader, old: FieldReader | None, against: Against) -> Run:
        """Return the closure; in a scan an unchanged column cannot be told, so `false` holds."""
        assert old is not None  # noqa: S101 - the loader gives both sides.
        assert isinstance(against, Constant)  # noqa: S101 - the loader allows nothing else.
        index, before, wanted = subject.index, old.index, against.value

        def changed(v: View) -> Any:
            if not wanted and v[SCANNING]:
                return True
            a, b = v[index], v[before]
            if a.__class__ is UnknownValue and not a.empty:
                return a
            if b.__class__ is UnknownValue and not b.empty:
                return b
            if a.__class__ is UnknownValue or b.__class__ is UnknownValue:
                # Of two empty sides neither has changed; of one, it has.
                return (a.__class__ is not b.__class__) is wanted
            return (a != b) is wanted

        return changed

    def needs_difference(self, constant: Any) -> bool:
        """Tell whether a change is asked for, and not its absence."""
        return constant is True
