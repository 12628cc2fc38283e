"""Operands: what an operator compares a field to becomes a literal, or another field."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from rules.load.keys import moment_from
from rules.load.scope import Scope
from rules.model.catalogue import FieldReference, Kind
from rules.operators.moments import (
    DATE,
    MOMENT_PARTS,
    TIME_OF_DAY,
    WEEKDAY,
    WEEKDAY_LABELS,
    date_from,
    time_from,
)
from rules.operators.operator import Operator
from rules.operators.patterns import Pattern, PatternInvalid
from rules.operators.table import OPERATORS
from rules.policy.conditions import (
    LiteralValue,
    Operand,
    OtherField,
    ValueSource,
)
from rules.syntax.complaint import closest
from rules.syntax.nodes import ListNode, MapNode, Node, ScalarNode

# A text and an id are both texts: each may be compared with the other.
LOOSE: Final = frozenset({Kind.STRING, Kind.LOOKUP})

_OF_MOMENTS: Final[Mapping[str, tuple[Callable[[object], str | None], str]]] = {
    TIME_OF_DAY: (time_from, "16:00"),
    DATE: (date_from, "2026-12-24"),
}
_PART_WORDS: Final = {TIME_OF_DAY: "a time such as 16:00", DATE: "a date such as 2026-12-24"}
_WANTED: Final[Mapping[Kind, str]] = {
    Kind.STRING: "a text",
    Kind.LOOKUP: "an id as text",
    Kind.LIST: "a text",
    Kind.NUMBER: "a number",
    Kind.BOOLEAN: "true or false",
    Kind.DATETIME: "a date and time such as 2026-01-31T00:00:00Z",
    Kind.CHOICE: "a label",
}


def read_operand(
    operator: Operator, node: Node, reference: FieldReference, kind: Kind, scope: Scope
) -> Operand | None:
    """Return what the operator compares to; None when that is a mistake, which is complained of."""
    if operator.takes == "flag":
        if isinstance(node, ScalarNode) and isinstance(node.content, bool):
            return LiteralValue(node.content, str(node.content).lower())
        scope.complaints.add(node, "value-misfit", f"`{operator.name}` takes true or false.")
        return None
    if isinstance(node, MapNode):
        return _named_operand(operator, node, reference, kind, scope)
    if operator.takes == "many":
        if isinstance(node, ListNode):
            if not node.items:
                scope.complaints.add(node, "value-misfit", f"`{operator.name}` has no values.")
                return None
            return _many(node, reference, kind, scope)
        scope.complaints.add(
            node,
            "value-misfit",
            f"`{operator.name}` takes a list.",
            hint="Write [a, b] or {list: name}.",
        )
        return None
    if not isinstance(node, ScalarNode):
        scope.complaints.add(
            node,
            "value-misfit",
            f"`{operator.name}` takes one value.",
            hint="Use `in` for several.",
        )
        return None
    return _one(operator, node, node.content, node.text, reference, kind, scope)


def _many(node: ListNode, reference: FieldReference, kind: Kind, scope: Scope) -> Operand | None:
    values = []
    for item in node.items:
        content = item.content if isinstance(item, ScalarNode) else None
        fitted = _fit(item, content, reference, kind, scope)
        if fitted is not None:
            values.append(fitted)
    if len(values) != len(node.items):
        return None
    words = ", ".join(item.text for item in node.items if isinstance(item, ScalarNode))
    return LiteralValue(tuple(values), f"[{words}]")


def _one(
    operator: Operator, node: Node, content: Any, words: str, reference: FieldReference, kind: Kind,
    scope: Scope,
) -> LiteralValue | None:  # fmt: skip
    if operator.takes == "pattern":
        return _pattern(node, content, words, scope)
    value = _fit(node, content, reference, kind, scope)
    return None if value is None else LiteralValue(value, words)


def _pattern(node: Node, content: Any, words: str, scope: Scope) -> LiteralValue | None:
    if not isinstance(content, str):
        said = "A regular expression is written as text."
        scope.complaints.add(node, "value-misfit", said)
        return None
    try:
        # Only to learn whether RE2 takes it; it is compiled again for each case rule.
        Pattern(content, caseless=False)
    except PatternInvalid as reason:
        code = "pattern-too-long" if reason.is_too_long else "pattern-invalid"
        said = f"The expression cannot be used: {reason}."
        scope.complaints.add(node, code, said, hint="RE2 syntax applies.")
        return None
    return LiteralValue(content, words)


def _named_operand(
    operator: Operator, node: MapNode, reference: FieldReference, kind: Kind, scope: Scope
) -> Operand | None:
    complaints = scope.complaints
    if len(node.entries) != 1 or not {"field", "param", "list"} & set(node.entries):
        complaints.add(
            node,
            "value-misfit",
            "A value is a literal, {field: path}, {param: name} or {list: name}.",
        )
        return None
    ((source, name_node),) = node.entries.items()
    name = name_node.content if isinstance(name_node, ScalarNode) else None
    if not isinstance(name, str):
        complaints.add(name_node, "type-wrong", f"`{source}` takes a name.")
        return None
    if source == "field":
        return _field_operand(operator, name_node, name, reference, kind, scope)
    if source == "list":
        return _list_operand(operator, name_node, name, kind, scope)
    if name not in scope.params:
        complaints.add(
            name_node,
            "param-unknown",
            f"The policy has no param `{name[:80]}`.",
            hint=closest(name, scope.params),
        )
        return None
    value = scope.params[name]
    if operator.takes == "many":
        if not isinstance(value, list | tuple):
            complaints.add(name_node, "value-misfit", f"The param `{name}` must hold a list here.")
            return None
        fitted = [_fit(name_node, item, reference, kind, scope) for item in value]
        if any(item is None for item in fitted):
            return None
        return LiteralValue(tuple(fitted), f"params.{name}", ValueSource.PARAM, name)
    if isinstance(value, list | tuple):
        complaints.add(name_node, "value-misfit", f"The param `{name}` must hold one value here.")
        return None
    operand = _one(operator, name_node, value, f"params.{name}", reference, kind, scope)
    return None if operand is None else replace(operand, source=ValueSource.PARAM, name=name)


def _list_operand(
    operator: Operator, node: Node, name: str, kind: Kind, scope: Scope
) -> Operand | None:
    if name not in scope.lists:
        said, hint = f"There is no list `{name[:80]}`.", closest(name, scope.lists)
        scope.complaints.add(node, "list-unknown", said, hint=hint)
        return None
    if operator.takes != "many" or kind not in LOOSE | {Kind.LIST}:
        several = [f"`{name}`" for name, each in OPERATORS.items() if each.takes == "many"]
        said = f"A named list stands under {' or '.join(several)} of a text or list field."
        scope.complaints.add(node, "value-misfit", said)
        return None
    return LiteralValue(scope.lists[name].items, f"list {name}", ValueSource.LIST, name)


def _field_operand(
    operator: Operator, node: Node, path: str, reference: FieldReference, kind: Kind, scope: Scope
) -> Operand | None:
    other = scope.reference(node, path)
    if other is None:
        return None
    if scope.part in MOMENT_PARTS:
        said = f"`{scope.part}` is compared with what stands in the policy, not with a field."
        scope.complaints.add(node, "value-misfit", said)
        return None
    if operator.takes == "pattern":
        # A pattern from a record would be compiled, and could be written, by whoever edits it.
        said = f"`{operator.name}` takes an expression, not a field."
        scope.complaints.add(node, "value-misfit", said)
        return None
    theirs = other.field.kind
    if operator.takes == "many":
        fits = theirs is Kind.LIST and kind in LOOSE | {Kind.LIST}
    else:
        # What is looked for in a list is one of its members.
        wanted = Kind.STRING if kind is Kind.LIST else kind
        fits = theirs is wanted or {theirs, wanted} <= LOOSE
    # Two choices share their numbers only if they share their labels.
    if not fits or (
        kind is Kind.CHOICE and dict(other.field.labels) != dict(reference.field.labels)
    ):
        scope.complaints.add(
            node,
            "value-misfit",
            f"`{scope.said}` cannot be compared with `{path}`: "
            f"a {kind.value} with a {theirs.value}.",
        )
        return None
    return OtherField(other)


def _fit(node: Node, content: Any, reference: FieldReference, kind: Kind, scope: Scope) -> Any:
    """Return the value in the form in which the field stores it; None after a complaint."""
    if scope.part in _OF_MOMENTS:
        return _fit_part(node, content, scope)
    if kind is Kind.CHOICE:
        return _fit_label(node, content, reference, scope)
    fits = {
        Kind.NUMBER: isinstance(content, int | float) and not isinstance(content, bool),
        Kind.BOOLEAN: isinstance(content, bool),
    }.get(kind, isinstance(content, str) and content != "")
    if kind is Kind.DATETIME:
        moment: datetime | None = moment_from(content)
        if moment is not None:
            return moment
        fits = False
    if fits:
        return content
    hint = "Use `exists: false` for an empty field." if content in (None, "") else None
    if kind in (Kind.STRING, Kind.LIST, Kind.LOOKUP) and content not in (None, ""):
        hint = "Put it in quotes."
    if kind is Kind.DATETIME and (time_from(content) or str(content).lower() in WEEKDAY_LABELS):
        part = TIME_OF_DAY if time_from(content) else WEEKDAY
        hint = f"Add `part: {part}` and `timeZone: Europe/Amsterdam`, or the zone that is meant."
    scope.complaints.add(
        node, "value-misfit", f"`{scope.said}` is compared with {_WANTED[kind]}.", hint=hint
    )
    return None


def _fit_part(node: Node, content: Any, scope: Scope) -> str | None:
    """Return a time of day or a date as moments have them; None after a complaint."""
    read, example = _OF_MOMENTS[scope.part]
    found = read(content)
    if found is None:
        shown = f"`{content!s:.40}`"
        hint = f'Write it as "{example}".'
        if scope.part == TIME_OF_DAY and (padded := time_from(f"0{content}")) is not None:
            hint = f'Write "{padded[:5]}".'
        said = f"`{scope.part}` is compared with {_PART_WORDS[scope.part]}, not with {shown}."
        scope.complaints.add(node, "value-misfit", said, hint=hint)
    return found


def _fit_label(node: Node, content: Any, reference: FieldReference, scope: Scope) -> Any:
    labels = reference.field.labels
    if isinstance(content, str) and content in labels:
        return labels[content]
    if content is None:
        scope.complaints.add(
            node, "value-misfit", f"`{scope.said}` is compared with a label.",
            hint="Use `exists: false` for an empty field.",
        )  # fmt: skip
        return None
    shown = content if isinstance(content, str) else str(content)
    # Numbers are no labels: they say nothing to whoever reviews the policy.
    by_number = reference.field.label_of(content)
    scope.complaints.add(
        node,
        "label-unknown",
        f"`{scope.said}` has no label `{shown[:80]}`.",
        hint=f"Write `{by_number}`."
        if by_number
        else closest(shown, labels) or f"The labels are {', '.join(labels)}.",
    )
    return None
