"""Conditions in the schemas: which operators fit a field, offered and no others.

The fields are grouped by what fits them; a condition is dispatched by the group of its field, and
by the part that it takes. Each of the last branches is closed: an editor completes by it, and marks
what it does not name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, TypeAlias

from rules.load.operands import LOOSE
from rules.model.catalogue import RECORD_ROOTS, SHARED_ROOTS, Catalogue, Entity, Kind
from rules.operators.fields import PARTS
from rules.operators.moments import DATE, MOMENT_PARTS, TIME_OF_DAY, WEEKDAY
from rules.operators.operator import Operator
from rules.operators.table import OPERATORS
from rules.schema.shape import FLAG, SCALAR, TEXT, Schema, array_of, enum_of, object_of

_ZONE: Final[Schema] = {
    "if": {"type": "object"},
    "then": {
        "type": "object", "properties": {"param": {"type": "string"}},
        "additionalProperties": False, "required": ["param"],
    },
    "else": {
        "type": "string",
        "description": "IANA name of the zone of a time of day, a weekday or a date.",
        "examples": ["Europe/Amsterdam", "UTC"],
    },
}  # fmt: skip
_SETTINGS: Final = ("timeZone", "caseSensitive")
_Group: TypeAlias = "tuple[frozenset[Kind], bool, list[str]]"


def definitions(catalogue: Catalogue) -> dict[str, Schema]:
    """Return what conditions are made of, to stand under `$defs`."""
    groups = _groups(catalogue)
    # A pattern and no enum: to an editor, what is typed might still become a longer name of one.
    named = {
        name: {"pattern": f"^({'|'.join(map(re.escape, paths))})$"}
        for name, (_, _, paths) in groups.items()
    }
    return {"field": _fields(catalogue), "condition": _condition(groups), **named, **_values()}


def _values() -> dict[str, Schema]:
    named = {key: object_of({key: TEXT}, required=(key,)) for key in ("field", "param", "list")}
    named["field"]["properties"]["field"] = {"$ref": "#/$defs/field"}
    return {
        "one": {
            "if": {"type": "object"},
            "then": _either(named, "field", "param"),
            "else": SCALAR,
        },
        "many": {
            "if": {"type": "object"},
            "then": _either(named, "field", "param", "list"),
            "else": array_of(SCALAR, least=1),
        },
        "flag": FLAG,
        "pattern": {"if": {"type": "object"}, "then": named["param"], "else": TEXT},
    }


def _either(named: Mapping[str, Schema], *keys: str) -> Schema:
    merged = {key: named[key]["properties"][key] for key in keys}
    return object_of(merged, minProperties=1, maxProperties=1)


def _groups(catalogue: Catalogue) -> dict[str, _Group]:
    """Return the fields that the same operators fit, by a name for each group of them."""
    kinds: dict[str, set[Kind]] = {}
    for table in catalogue.arriving():
        for path in catalogue.paths(table):
            reference = catalogue.resolve(table, path)
            assert reference is not None  # noqa: S101 - every path of a catalogue resolves.
            for written in dict.fromkeys((path, path.removeprefix("new."))):
                kinds.setdefault(written, set()).add(reference.field.kind)
    groups: dict[str, _Group] = {}
    for path, held in kinds.items():
        # Only a column has two sides, and `new.` may be left out.
        is_alone = path.partition(".")[0] in ("old", *SHARED_ROOTS)
        words = sorted(kind.value for kind in held)
        name = "-".join([*words, "alone"] if is_alone else words)
        groups.setdefault(name, (frozenset(held), is_alone, []))[2].append(path)
    return groups


def _condition(groups: Mapping[str, _Group]) -> Schema:
    """Return the condition, dispatched by the key that is there, so that mistakes read well."""
    # `oneOf` would complain of every branch; an author should hear of the one that was meant.
    inner = {"$ref": "#/$defs/condition"}
    by_field = [
        {
            "if": {"required": ["field"], "properties": {"field": {"$ref": f"#/$defs/{name}"}}},
            "then": _test_of(kinds, is_alone=is_alone),
        }
        for name, (kinds, is_alone, _) in groups.items()
    ]
    # Of a name that is no field, only that is told.
    stranger = {"properties": {"field": {"not": {"$ref": "#/$defs/field"}}}}
    by_field.append(
        {"if": stranger, "then": _closed(PARTS, (*_SETTINGS,), tuple(OPERATORS.values()))}
    )
    test: Schema = {
        "type": "object",
        "properties": {"field": {"$ref": "#/$defs/field"}},
        "required": ["field"],
        "allOf": by_field,
    }
    groups_of = {
        key: object_of({key: array_of(inner, least=1)}, required=(key,))
        for key in ("allOf", "anyOf")
    }
    groups_of["not"] = object_of({"not": inner}, required=("not",))
    branches = [
        {"if": {"required": [key]}, "then": schema}
        for key, schema in (("field", test), *groups_of.items())
    ]
    return {
        "type": "object",
        "allOf": [
            *branches,
            {"anyOf": [{"required": [key]} for key in ("field", *groups_of)]},
        ],
    }


def _test_of(kinds: frozenset[Kind], *, is_alone: bool) -> Schema:
    """Return what may stand beside a field of these kinds: the operators that fit, and no more."""

    def fitting(*wanted: Kind) -> tuple[Operator, ...]:
        return tuple(
            each
            for each in OPERATORS.values()
            if not each.kinds.isdisjoint(wanted) and not (is_alone and each.needs_old)
        )

    if kinds & LOOSE:
        parts = tuple(part for part in PARTS if part not in MOMENT_PARTS)
        return _if_part(
            {("length",): _closed(parts, (), fitting(Kind.NUMBER))},
            _closed(parts, ("caseSensitive",), fitting(*kinds)),
        )
    if Kind.DATETIME in kinds:
        zone = ("timeZone",)
        return _if_part(
            {
                (WEEKDAY,): _closed(MOMENT_PARTS, zone, fitting(Kind.CHOICE)),
                (TIME_OF_DAY, DATE): _closed(MOMENT_PARTS, zone, fitting(Kind.DATETIME)),
            },
            _closed(MOMENT_PARTS, (), fitting(*kinds)),
        )
    return _closed((), ("caseSensitive",) if Kind.LIST in kinds else (), fitting(*kinds))


def _if_part(cases: Mapping[tuple[str, ...], Schema], otherwise: Schema) -> Schema:
    # Asked this way round, because editors complete by what a condition does not rule out yet:
    # `required` would count as fulfilled before anything is written.
    for parts, schema in cases.items():
        others = {"properties": {"part": {"not": {"enum": list(parts)}}}}
        otherwise = {"if": others, "then": otherwise, "else": schema}
    return otherwise


def _closed(
    parts: tuple[str, ...], settings: tuple[str, ...], operators: tuple[Operator, ...]
) -> Schema:
    properties: dict[str, Schema] = {"field": {}}
    if parts:
        properties["part"] = enum_of(
            parts, None, "What is taken of the field instead of the whole."
        )
    known = {"timeZone": _ZONE, "caseSensitive": FLAG}
    properties |= {key: known[key] for key in settings}
    properties |= {each.name: _operator(each) for each in operators}
    return object_of(properties, anyOf=[{"required": [each.name]} for each in operators])


def _operator(operator: Operator) -> Schema:
    return {"$ref": f"#/$defs/{operator.takes}", "description": operator.doc}


def _fields(catalogue: Catalogue) -> Schema:
    docs: dict[str, str] = {}
    for table in catalogue.arriving():
        entity = catalogue.entities[table]
        for name in entity.known_names():
            for path in (name, *(f"{root}.{name}" for root in RECORD_ROOTS)):
                docs.setdefault(path, _doc(entity, name))
    for root, shared in catalogue.shared.items():
        for name in shared.known_names():
            docs[f"{root}.{name}"] = _doc(shared, name)
    return {"enum": list(docs), "markdownEnumDescriptions": list(docs.values())}


def _doc(entity: Entity, name: str) -> str:
    field = entity.find(name)
    assert field is not None  # noqa: S101 - names are only those that are found.
    labels = f": {', '.join(field.labels)}" if field.labels else ""
    return f"{field.doc or name} ({field.kind.value}{labels})"
