"""`in` and `notIn`: the value is one of several, or none of them."""

from __future__ import annotations

from typing import Any

from rules.model.catalogue import Kind
from rules.operators.fields import FieldReader, View
from rules.operators.operator import SCALARS, Against, Operator, Run, compared, example_of
from rules.operators.unknown import UnknownValue

# Of true and false, a list would name one or both: `equals` says the one, and nothing the other.
_LISTABLE = SCALARS - {Kind.BOOLEAN}


def _is_member(value: Any, members: Any) -> bool:
    return value in members


def _is_no_member(value: Any, members: Any) -> bool:
    return value not in members


class In(Operator):
    """The value is one of several."""

    name = "in"
    doc = "The field holds one of these values, or a value of a named list."
    kinds = _LISTABLE
    takes = "many"
    words = "is in"
    opposite = "notIn"
    cel = "{new} in {value}"
    example = example_of("new.owner.type", ["queue", "team"], "queue", "user", name=name)

    def compile(self, subject: FieldReader, old: FieldReader | None, against: Against) -> Run:
        """Return the closure; against a constant it calls nothing, as `equals` does."""
        if isinstance(against, FieldReader):
            return compared(subject, against, _is_member)
        index, members = subject.index, against.value

        def is_in(v: View) -> Any:
            a = v[index]
            return a if a.__class__ is UnknownValue else a in members

        return is_in


class NotIn(Operator):
    """The value is none of several."""

    name = "notIn"
    doc = "The field holds none of these values; an empty field is an error."
    kinds = _LISTABLE
    takes = "many"
    words = "is not in"
    opposite = "in"
    cel = "!({new} in {value})"
    example = example_of(
        "new.emailaddress", ["ceo@contoso.com"], "anna@contoso.com", "CEO@contoso.com", name=name
    )

    def compile(self, subject: FieldReader, old: FieldReader | None, against: Against) -> Run:
        """Return the closure."""
        return compared(subject, against, _is_no_member)
