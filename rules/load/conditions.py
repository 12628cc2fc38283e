"""Condition nodes become condition trees for one table, checked against catalogue and operators."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from rules.load.keys import Complaints, Keys, mapping_of, moment_from
from rules.model.catalogue import RECORD_ROOTS, Catalogue, FieldReference, Kind
from rules.operators.fields import PARTS
from rules.operators.operator import Operator
from rules.operators.patterns import Pattern, PatternInvalid
from rules.operators.table import OPERATORS
from rules.policy.conditions import (
    AllOf,
    AnyOf,
    Check,
    Condition,
    LiteralValue,
    Not,
    Operand,
    OtherField,
    Test,
    ValueSource,
)
from rules.syntax.complaint import FIELDS_LISTED, OPERATORS_LISTED, closest
from rules.syntax.nodes import ListNode, MapNode, Node, ScalarNode

# Law 12: the cost of a decision is bounded when its policies load. The shipped rules nest four
# deep at most, with 14 conditions.
MOST_NESTING: Final = 16
MOST_CONDITIONS: Final = 200
_GROUPS: Final = ("allOf", "anyOf", "not")
_LOOSE: Final = frozenset({Kind.STRING, Kind.LOOKUP})

_WANTED: Final[Mapping[Kind, str]] = {
    Kind.STRING: "a text",
    Kind.LOOKUP: "an id as text",
    Kind.LIST: "a text",
    Kind.NUMBER: "a number",
    Kind.BOOLEAN: "true or false",
    Kind.DATETIME: "a date and time such as 2026-01-31T00:00:00Z",
    Kind.CHOICE: "a label",
}


@dataclass(frozen=True, slots=True)
class NamedList:
    """The items of a list file as written; `caseless` makes every comparison with it caseless."""

    items: tuple[str, ...]
    caseless: bool


@dataclass(slots=True)
class Scope:
    """What conditions of one policy on one table may refer to."""

    catalogue: Catalogue
    table: str
    params: Mapping[str, Any]
    lists: Mapping[str, NamedList]
    complaints: Complaints
    # How many conditions the rule has so far; each rule begins anew.
    used: int = field(default=0)
    said: str = field(default="")
    """The field of the condition being read, as the author wrote it."""

    def reference(self, node: Node, path: str) -> FieldReference | None:
        """Return the field of that path; complain when there is none."""
        found = self.catalogue.resolve(self.table, path)
        if found is None:
            self._complain_field(node, path)
        return found

    def _complain_field(self, node: Node, path: str) -> None:
        on = f" of {self.table}" if path.partition(".")[0] in RECORD_ROOTS else ""
        elsewhere = [name for name in self.catalogue.entities if self.catalogue.resolve(name, path)]
        if elsewhere:
            self.complaints.add(
                node,
                "field-misplaced",
                f"`{path[:80]}` is not a field of {self.table}.",
                hint=f"It is one of {', '.join(elsewhere)}; split the policy by entity.",
            )
            return
        known = self.catalogue.spellings(self.table, like=path)
        self.complaints.add(
            node, "field-unknown", f"`{path[:80]}` is not a field{on}.",
            hint=closest(path, known) or FIELDS_LISTED,
        )  # fmt: skip


def read_conditions(nodes: list[Node], scope: Scope) -> tuple[Condition, ...]:
    """Return the conditions of a list; those with a mistake are left out."""
    found = (_condition(node, scope, depth=1) for node in nodes)
    return tuple(one for one in found if one is not None)


def _condition(node: Node, scope: Scope, *, depth: int) -> Condition | None:
    complaints = scope.complaints
    if depth > MOST_NESTING:
        complaints.add(
            node, "nesting-too-deep", f"Conditions are nested deeper than {MOST_NESTING}."
        )
        return None
    scope.used += 1
    # Told once, at the first that is too many.
    if scope.used == MOST_CONDITIONS + 1:
        complaints.add(
            node, "conditions-too-many", f"A rule may have {MOST_CONDITIONS} conditions."
        )
    if scope.used > MOST_CONDITIONS:
        return None
    body = mapping_of(node, complaints, what="condition")
    if body is None:
        return None
    kinds = [key for key in ("field", *_GROUPS) if key in body.entries]
    if len(kinds) != 1:
        names = (
            ", ".join(f"`{kind}`" for kind in kinds) or ", ".join(body.entries)[:80] or "nothing"
        )
        complaints.add(
            body,
            "condition-shape",
            f"A condition is exactly one of field, allOf, anyOf, not; this one has {names}.",
            hint=closest(next(iter(body.entries), ""), ("field", *_GROUPS)) if not kinds else None,
        )
        return None
    return _test(body, scope) if kinds[0] == "field" else _group(kinds[0], body, scope, depth)


def _group(kind: str, body: MapNode, scope: Scope, depth: int) -> Condition | None:
    keys = Keys(body, scope.complaints, what="condition")
    place = scope.complaints.place(body)
    if kind == "not":
        inner = keys.need("not")
        keys.done()
        item = _condition(inner, scope, depth=depth + 1) if inner is not None else None
        return Not(item, place) if item is not None else None
    nodes = keys.sequence(kind, required=True)
    keys.done()
    if not nodes and kind in body.entries:
        scope.complaints.add(
            body.entries[kind], "condition-shape", f"`{kind}` needs at least one condition."
        )
    items = [_condition(node, scope, depth=depth + 1) for node in nodes]
    whole = tuple(item for item in items if item is not None)
    # With one of its items left out, a group would mean something else.
    if not whole or len(whole) != len(items):
        return None
    return AllOf(whole, place) if kind == "allOf" else AnyOf(whole, place)


def _test(body: MapNode, scope: Scope) -> Condition | None:
    complaints = scope.complaints
    keys = Keys(body, complaints, what="condition")
    path = keys.text("field", required=True)
    reference = scope.reference(body.entries["field"], path) if path else None
    scope.said = path
    part = keys.choice("part", PARTS, default="") or None
    case_sensitive = keys.flag("caseSensitive")
    named = _named_operators(body, complaints)
    if reference is None:
        return None
    if part is not None and reference.field.kind not in _LOOSE:
        complaints.add(
            body.entries["part"],
            "part-misfit",
            f"`part` is taken of a text; `{path}` holds {_holds(reference)}.",
        )
        return None
    caseless = part == "domain" or (reference.field.caseless and not case_sensitive)
    checks = []
    for key, operator, mark in named:
        node = body.entries[key]
        operand = _check(operator, node, mark, reference, part, scope)
        if operand is not None:
            folded = caseless or (_is_caseless_list(node, scope) and not case_sensitive)
            checks.append(Check(operator, operand, folded, complaints.place(mark)))
    # A condition with a part of its operators would be another rule than the one that was written.
    if not checks or len(checks) != len(named):
        return None
    return Test(reference, part, tuple(checks), complaints.place(body))


def _named_operators(
    body: MapNode, complaints: Complaints
) -> list[tuple[str, Operator, ScalarNode]]:
    """Return the operators of a condition with their marks; complain about what is none."""
    named = [(key, OPERATORS[key], body.keys[key]) for key in body.entries if key in OPERATORS]
    strangers = [
        (key, mark)
        for key, mark in body.keys.items()
        if key not in OPERATORS and key not in ("field", "part", "caseSensitive")
    ]
    for key, mark in strangers:
        complaints.add(
            mark,
            "operator-unknown",
            f"`{key[:80]}` is not an operator.",
            hint=closest(key, [*OPERATORS, "part", "caseSensitive"]) or OPERATORS_LISTED,
        )
    if not named and not strangers:
        complaints.add(
            body,
            "operator-missing",
            "The condition names a field and no operator.",
            hint="Add one, such as `equals:` or `exists: true`.",
        )
    return named


def _is_caseless_list(node: Node, scope: Scope) -> bool:
    name = node.entries.get("list") if isinstance(node, MapNode) else None
    found = scope.lists.get(name.text) if isinstance(name, ScalarNode) else None
    return found is not None and found.caseless


def _holds(reference: FieldReference) -> str:
    return f"a {reference.field.kind.value}"


def _check(
    operator: Operator, node: Node, mark: ScalarNode, reference: FieldReference, part: str | None,
    scope: Scope,
) -> Operand | None:  # fmt: skip
    complaints = scope.complaints
    # The length of a text is compared as the number that it is.
    kind = Kind.NUMBER if part == "length" else reference.field.kind
    if kind not in operator.kinds:
        fitting = [name for name, each in OPERATORS.items() if kind in each.kinds]
        complaints.add(
            mark,
            "operator-misfit",
            f"`{operator.name}` does not fit `{scope.said}`, which holds a {kind.value}.",
            hint=f"These fit: {', '.join(fitting)}.",
        )
        return None
    if operator.needs_old and reference.root != "new":
        complaints.add(
            mark,
            "operator-misfit",
            f"`{operator.name}` compares new with old; `{scope.said}` has no two sides.",
            hint="Name the field with `new.`.",
        )
        return None
    return _operand(operator, node, reference, kind, scope)


def _operand(
    operator: Operator, node: Node, reference: FieldReference, kind: Kind, scope: Scope
) -> Operand | None:
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
    if operator.takes != "many" or kind not in _LOOSE:
        several = [f"`{name}`" for name, each in OPERATORS.items() if each.takes == "many"]
        said = f"A named list stands under {' or '.join(several)} of a text field."
        scope.complaints.add(node, "value-misfit", said)
        return None
    return LiteralValue(scope.lists[name].items, f"list {name}", ValueSource.LIST, name)


def _field_operand(
    operator: Operator, node: Node, path: str, reference: FieldReference, kind: Kind, scope: Scope
) -> Operand | None:
    other = scope.reference(node, path)
    if other is None:
        return None
    if operator.takes == "pattern":
        # A pattern from a record would be compiled, and could be written, by whoever edits it.
        said = f"`{operator.name}` takes an expression, not a field."
        scope.complaints.add(node, "value-misfit", said)
        return None
    theirs = other.field.kind
    if operator.takes == "many":
        fits = theirs is Kind.LIST and kind in _LOOSE
    else:
        # What is looked for in a list is one of its members.
        wanted = Kind.STRING if kind is Kind.LIST else kind
        fits = theirs is wanted or {theirs, wanted} <= _LOOSE
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
    scope.complaints.add(
        node, "value-misfit", f"`{scope.said}` is compared with {_WANTED[kind]}.", hint=hint
    )
    return None


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
