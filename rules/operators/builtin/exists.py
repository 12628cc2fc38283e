"""`exists`: the field holds something, or nothing."""

from __future__ import annotations

from typing import Any

from rules.model.catalogue import Kind
from rules.operators.fields import FieldReader, View
from rules.operators.operator import ANY, Against, Constant, Operator, Run, example_of
from rules.operators.unknown import UnknownValue


class Exists(Operator):
    """The field holds something, or nothing."""

    name = "exists"
    doc = "The field has a value (true) or is empty (false). A value that is not known is an error."
    kinds = ANY
    takes = "flag"
    words = "exists:"
    answers_empty = True
    cel = cel_of_list = "{has_new} == {value}"
    example = example_of("new.emailaddress", True, "a@b.de", None, name=name)

    def compile(self, subject: FieldReader, old: FieldReader | None, against: Against) -> Run:
        """Return the closure; an empty list does not exist."""
        assert isinstance(against, Constant)  # noqa: S101 - the loader allows nothing else.
        index, wanted = subject.index, against.value

        def exists(v: View) -> Any:
            a = v[index]
            if a.__class__ is UnknownValue:
                return not wanted if a.empty else a
            return wanted

        def has_members(v: View) -> Any:
            a = v[index]
            if a.__class__ is UnknownValue:
                return not wanted if a.empty else a
            return wanted if a else not wanted

        return has_members if subject.kind is Kind.LIST else exists
