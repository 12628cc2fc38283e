"""Condition nodes become condition trees for one table, checked against catalogue and operators."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from rules.load.keys import Complaints, Keys, mapping_of
from rules.load.literals import check_literals
from rules.load.operands import LOOSE, read_operand
from rules.load.scope import Scope
from rules.model.catalogue import RECORD_ID, Arrival, FieldReference, Kind
from rules.operators.fields import PARTS
from rules.operators.moments import (
    MOMENT_PARTS,
    WEEKDAY,
    WEEKDAY_LABELS,
    ZoneUnknown,
    known_zones,
    part_in,
    zone_of,
)
from rules.operators.operator import Operator
from rules.operators.table import OPERATORS
from rules.policy.conditions import (
    AllOf,
    AnyOf,
    Check,
    Condition,
    LiteralValue,
    Not,
    Operand,
    Test,
)
from rules.syntax.complaint import OPERATORS_LISTED, closest
from rules.syntax.nodes import MapNode, Node, ScalarNode

# Law 12: the cost of a decision is bounded when its policies load. The shipped rules nest four
# deep at most, with 14 conditions.
MOST_NESTING: Final = 16
MOST_CONDITIONS: Final = 200
_GROUPS: Final = ("allOf", "anyOf", "not")
SETTINGS: Final = ("part", "timeZone", "caseSensitive")
"""What a condition may say beside its field and its operators."""
_BOUNDS: Final = ("greater", "greaterOrEquals", "less", "lessOrEquals")
_PART_KINDS: Final = dict.fromkeys(MOMENT_PARTS, frozenset({Kind.DATETIME}))
_TEXTS: Final = LOOSE | {Kind.LIST}


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
            hint=_meant(body) if not kinds else None,
        )
        return None
    return _test(body, scope) if kinds[0] == "field" else _group(kinds[0], body, scope, depth)


def _meant(body: MapNode) -> str | None:
    """Return a hint of what the keys of a condition that is none were meant to be."""
    return next(filter(None, (closest(key, ("field", *_GROUPS)) for key in body.entries)), None)


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
    scope.part = part or ""
    zone = _zone(body, part, scope)
    if part is not None:
        fitting = _PART_KINDS.get(part, LOOSE)
        if reference.field.kind not in fitting:
            of = "a moment" if part in MOMENT_PARTS else "a text"
            complaints.add(
                body.entries["part"],
                "part-misfit",
                f"`part: {part}` is taken of {of}; `{path}` holds {_holds(reference)}.",
            )
            return None
        if part in MOMENT_PARTS:
            if zone is None:
                return None
            reference, part = _of_moment(reference, part, zone)
    _check_case(body, part, [operator for _, operator, _ in named], reference, scope)
    caseless = part == "domain" or (reference.field.caseless and not case_sensitive)
    checks = []
    for key, operator, mark in named:
        node = body.entries[key]
        operand = _check(operator, node, mark, reference, part, scope)
        if operand is not None:
            folded = caseless or (_is_caseless_list(node, scope) and not case_sensitive)
            checks.append(Check(operator, operand, folded, complaints.place(mark)))
    # A condition with a part of its operators would be another rule than the one that was written.
    if not checks or len(checks) != len(named) or not _may_hold(checks, body, scope):
        return None
    return Test(reference, part, tuple(checks), complaints.place(body))


def _zone(body: MapNode, part: str | None, scope: Scope) -> str | None:
    """Return the time zone of a condition, None after a complaint or where none belongs."""
    node, complaints = body.entries.get("timeZone"), scope.complaints
    if part not in MOMENT_PARTS:
        if node is not None:
            complaints.add(
                body.keys["timeZone"], "zone-misplaced",
                f"A time zone belongs to one of {', '.join(MOMENT_PARTS)}.",
                hint="Add `part`, or remove the zone.",
            )  # fmt: skip
        return None
    if node is None:
        complaints.add(
            body.entries["part"], "zone-missing", f"`{part}` is another in each time zone.",
            hint="Add `timeZone: Europe/Amsterdam`, or the zone that is meant.",
        )  # fmt: skip
        return None
    name = node.content if isinstance(node, ScalarNode) else None
    if isinstance(node, MapNode):
        param = node.entries.get("param")
        name = scope.params.get(param.text) if isinstance(param, ScalarNode) else None
    try:
        zone_of(name if isinstance(name, str) else "")
    except ZoneUnknown:
        zones = known_zones()
        shown = f"`{name!s:.60}`" if name is not None else "This"
        near = closest(str(name), zones) if zones else "Install the package tzdata."
        # Windows has names of its own, in words.
        near = None if zones and " " in str(name) else near
        complaints.add(
            node, "zone-unknown", f"{shown} is no time zone of this machine.",
            hint=near or "Write its IANA name, such as Europe/Amsterdam.",
        )  # fmt: skip
        return None
    return str(name)


def _of_moment(reference: FieldReference, part: str, zone: str) -> tuple[FieldReference, str]:
    """Return a part of a moment as a field of its own, and the part with its zone."""
    field = reference.field
    if part == WEEKDAY:
        field = replace(field, kind=Kind.CHOICE, labels=WEEKDAY_LABELS)
    return FieldReference(reference.root, reference.key, field), part_in(part, zone)


def _may_hold(checks: list[Check], body: MapNode, scope: Scope) -> bool:
    """Complain where the bounds of one condition leave nothing between them."""
    bounds: dict[str, Any] = {}
    for check in checks:
        if check.operator.name in _BOUNDS and isinstance(check.operand, LiteralValue):
            bounds[check.operator.name] = check.operand.value
    least = [(bounds[name], name == "greater") for name in bounds if name.startswith("greater")]
    most = [(bounds[name], name == "less") for name in bounds if name.startswith("less")]
    if not least or not most:
        return True
    low, is_above = max(least)
    high, is_below = min(most, key=lambda one: (one[0], not one[1]))
    if low < high or (low == high and not is_above and not is_below):
        return True
    scope.complaints.add(
        body, "value-impossible", f"Nothing is between {low} and {high}: this never holds.",
        hint="Put each bound into a condition of its own under `anyOf`, if either is meant.",
    )  # fmt: skip
    return False


def _check_case(
    body: MapNode, part: str | None, operators: list[Operator], reference: FieldReference,
    scope: Scope,
) -> None:  # fmt: skip
    """Complain of a `caseSensitive` that would change nothing, whatever its author expects."""
    node = body.entries.get("caseSensitive")
    if not isinstance(node, ScalarNode) or not isinstance(node.content, bool):
        return
    said = f"{node.content}".lower()
    compares = any(each.takes != "flag" or each.needs_old for each in operators)
    why = None
    if reference.field.kind not in _TEXTS or part == "length" or not compares:
        why = "nothing is compared here that has a case"
    elif node.content and part == "domain":
        why = "domains have no case"
    elif not node.content and reference.field.caseless:
        why = "text is compared without case as it is"
    if why is not None:
        scope.complaints.add(
            body.keys["caseSensitive"], "case-idle",
            f"`caseSensitive: {said}` changes nothing: {why}.", hint="Remove it.",
        )  # fmt: skip


def _named_operators(
    body: MapNode, complaints: Complaints
) -> list[tuple[str, Operator, ScalarNode]]:
    """Return the operators of a condition with their marks; complain about what is none."""
    named = [(key, OPERATORS[key], body.keys[key]) for key in body.entries if key in OPERATORS]
    strangers = [
        (key, mark)
        for key, mark in body.keys.items()
        if key not in OPERATORS and key not in ("field", *SETTINGS)
    ]
    for key, mark in strangers:
        complaints.add(
            mark,
            "operator-unknown",
            f"`{key[:80]}` is not an operator.",
            hint=closest(key, [*OPERATORS, *SETTINGS]) or OPERATORS_LISTED,
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
    if operator.needs_old and reference.key == RECORD_ID:
        complaints.add(
            mark, "operator-misfit", f"A row keeps its id: `{operator.name}` never holds of it."
        )
        return None
    if operator.needs_old and reference.field.arrives is Arrival.IMAGE:
        complaints.add(
            mark, "change-unnoticed",
            f"A change of `{scope.said}` alone brings no delivery; it is seen beside another's.",
            hint="Ask for its value where address or approval changes.",
            level="warning",
        )  # fmt: skip
    operand = read_operand(operator, node, reference, kind, scope)
    fits = operand is not None and check_literals(operator, node, reference, part, scope)
    return operand if fits else None
