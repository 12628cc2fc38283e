"""`contains` and `notContains`: a list has the member, a text has the piece, or has it not."""

from __future__ import annotations

import operator
from typing import Any

from rules.model.catalogue import Kind
from rules.operators.fields import FieldReader
from rules.operators.operator import TEXTS, Against, Operator, Run, compared, example_of

_WHOLES = TEXTS | {Kind.LIST}
_PIECES = ("anna", "@", "contoso.com", "CONTOSO", "a")


class Contains(Operator):
    """A list has the member, or a text has the piece."""

    name = "contains"
    doc = "The list has this member, or the text has this piece. An empty list contains nothing."
    kinds = _WHOLES
    reach = "piece"
    words = "contains"
    opposite = "notContains"
    samples = _PIECES
    cel = "{new}.contains({value})"
    cel_of_list = "({value} in {new})"
    example = example_of(
        "actor.roles", "System Administrator", ["system administrator"], [], name=name
    )

    def compile(self, subject: FieldReader, old: FieldReader | None, against: Against) -> Run:
        """Return the closure; a set and a text both answer `in`."""
        return compared(subject, against, operator.contains)


def _lacks(whole: Any, piece: Any) -> bool:
    return piece not in whole


class NotContains(Operator):
    """A list lacks the member, or a text lacks the piece."""

    name = "notContains"
    doc = "The list lacks this member, or the text lacks this piece."
    kinds = _WHOLES
    reach = "piece"
    words = "does not contain"
    opposite = "contains"
    samples = _PIECES
    cel = "!{new}.contains({value})"
    cel_of_list = "!({value} in {new})"
    example = example_of("actor.roles", "Delegate", [], ["Delegate"], name=name)

    def compile(self, subject: FieldReader, old: FieldReader | None, against: Against) -> Run:
        """Return the closure."""
        return compared(subject, against, _lacks)
