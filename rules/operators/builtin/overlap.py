"""`containsAny` and `containsNone`: a list has one of several members, or none of them."""

from __future__ import annotations

from typing import Any

from rules.model.catalogue import Kind
from rules.operators.fields import FieldReader
from rules.operators.operator import Against, Operator, Run, compared, example_of

_LISTS = frozenset({Kind.LIST})


def _has_any(members: Any, wanted: Any) -> bool:
    return not members.isdisjoint(wanted)


def _has_none(members: Any, wanted: Any) -> bool:
    return not _has_any(members, wanted)


class ContainsAny(Operator):
    """The list has one of several members."""

    name = "containsAny"
    doc = (
        "The list has at least one of these members, or a member of a named list. An empty list "
        "contains nothing."
    )
    kinds = _LISTS
    takes = "many"
    words = "contains any of"
    opposite = "containsNone"
    cel = cel_of_list = "{value}.exists(m, m in {new})"
    example = example_of(
        "new.addressOwner.names", ["ceo@contoso.com"], ["CEO@contoso.com", "chief@contoso.com"],
        ["anna@contoso.com"], name=name,
    )  # fmt: skip

    def compile(self, subject: FieldReader, old: FieldReader | None, against: Against) -> Run:
        """Return the closure."""
        return compared(subject, against, _has_any)


class ContainsNone(Operator):
    """The list has none of several members."""

    name = "containsNone"
    doc = "The list has none of these members, nor a member of a named list."
    kinds = _LISTS
    takes = "many"
    words = "contains none of"
    opposite = "containsAny"
    cel = cel_of_list = "!{value}.exists(m, m in {new})"
    example = example_of(
        "new.addressOwner.names", ["ceo@contoso.com"], ["anna@contoso.com"],
        ["CEO@contoso.com", "chief@contoso.com"], name=name,
    )  # fmt: skip

    def compile(self, subject: FieldReader, old: FieldReader | None, against: Against) -> Run:
        """Return the closure."""
        return compared(subject, against, _has_none)
