"""The JSON Schemas of every kind of policy file, made from the catalogue and the operator table.

They serve editors (completion, hover help) and the second pass of `policy validate --schema`. What
a schema cannot say (references, patterns, limits) is the loader's.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from rules.load.keys import NAME, VERSIONS
from rules.model.catalogue import FORMS, OF_ENTITY, RECORD_ROOTS, Arrival, Catalogue, Entity, Kind
from rules.model.decision import Outcome
from rules.model.effects import EFFECT_SETS, EFFECTS, OUTCOMES
from rules.operators.fields import PARTS
from rules.operators.operator import Operator
from rules.operators.table import OPERATORS
from rules.policy.policy import MODES, ON_ERROR, OPERATIONS, SEVERITIES

Schema = dict[str, Any]

_DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"
_NAME: Final[Schema] = {"type": "string", "pattern": f"^{NAME.pattern}$"}
_TEXT: Final[Schema] = {"type": "string"}
_FLAG: Final[Schema] = {"type": "boolean"}
_SCALAR: Final[Schema] = {"type": ["string", "number", "boolean"]}
_MOMENT: Final[Schema] = {"type": "string", "examples": ["2026-08-21T10:00:00Z"]}


def schemas(catalogue: Catalogue) -> dict[str, Schema]:
    """Return every schema by the name of its file."""
    makers: dict[str, Callable[[Catalogue], Schema]] = {
        "policy": _policy,
        "list": _list,
        "exception": _exception,
        "params": _params,
        "test": _test,
        "catalogue": _catalogue,
    }
    return {f"{kind}.schema.json": make(catalogue) for kind, make in makers.items()}


def schema_texts(catalogue: Catalogue) -> dict[str, str]:
    """Return the text of every schema file, as it is committed."""
    return {
        name: json.dumps(schema, indent=1, ensure_ascii=False) + "\n"
        for name, schema in schemas(catalogue).items()
    }


def _object(
    properties: Mapping[str, Schema], *, required: tuple[str, ...] = (), **more: Any
) -> Schema:
    found: Schema = {
        "type": "object", "properties": dict(properties), "additionalProperties": False, **more,
    }  # fmt: skip
    if required:
        found["required"] = list(required)
    return found


def _enum(values: tuple[str, ...], default: str | None = None, doc: str | None = None) -> Schema:
    found: Schema = {"enum": list(values)}
    if default is not None:
        found["default"] = default
    if doc is not None:
        found["description"] = doc
    return found


def _array(items: Schema, *, least: int = 0) -> Schema:
    return {"type": "array", "items": items, **({"minItems": least} if least else {})}


def _head(title: str, body: Schema) -> Schema:
    return {"$schema": _DRAFT, "title": title, **body}


def _version(kind: str) -> dict[str, Schema]:
    return {
        "apiVersion": {"enum": list(VERSIONS)},
        "kind": {"const": kind},
    }


def _policy(catalogue: Catalogue) -> Schema:
    conditions = _array({"$ref": "#/$defs/condition"})
    rule = _object(
        {
            "id": {**_NAME, "description": "The reason code is policy/rule."},
            "effect": _enum(
                EFFECTS, None, "What failing means in mode enforce; the strongest if absent."
            ),
            "severity": _enum(SEVERITIES),
            "when": {**conditions, "description": "The rule applies only if all of these hold."},
            "require": {
                **conditions, "minItems": 1, "description": "All of these must hold.",
            },
            "unless": {**conditions, "description": "The rule is skipped if all of these hold."},
            "message": {
                **_TEXT, "pattern": r"\S", "description": "Text for people, with {path} holes.",
            },
            "help": {**_TEXT, "description": "How to mend it."},
        },
        required=("id", "require", "message"),
    )  # fmt: skip
    entity = _enum(_arriving(catalogue))
    match = _object(
        {
            "entity": {"anyOf": [entity, _array(entity, least=1)]},
            "operations": _array(_enum(OPERATIONS)),
            "when": conditions,
        },
        required=("entity",),
    )
    properties = {
        **_version("Policy"),
        "name": {**_NAME, "description": "The file has the same name."},
        "title": _TEXT,
        "description": _TEXT,
        "severity": _enum(SEVERITIES, "medium"),
        "category": _TEXT,
        "contact": _TEXT,
        "mode": _enum(MODES, "enforce", "off, audit (recorded), warn (text returned), enforce."),
        "onError": _enum(ON_ERROR, "reject", "What an error means in mode enforce."),
        "params": {
            "type": "object",
            "additionalProperties": {"anyOf": [_SCALAR, _array(_SCALAR)]},
            "propertyNames": {"not": {"const": "mode"}},
        },
        "match": match,
        "rules": _array(rule, least=1),
    }
    body = _object(properties, required=("apiVersion", "kind", "name", "match", "rules"))
    apart = _effects_apart(catalogue)
    return _head("Mailbox Guard policy", {**body, **apart, "$defs": _definitions(catalogue)})


def _effects_apart(catalogue: Catalogue) -> Schema:
    """Return what keeps the effects of messages from rules on records, and the reverse."""
    branches = []
    for one in EFFECT_SETS:
        names = [name for name, each in catalogue.entities.items() if each.effects is one]
        if not names:
            continue
        others = [effect for effect in EFFECTS if effect not in one.effects]
        named: Schema = {"anyOf": [{"enum": names}, {"type": "array", "contains": {"enum": names}}]}
        match = {"required": ["entity"], "properties": {"entity": named}}
        rule = {"properties": {"effect": {"not": {"enum": others}}}}
        branches.append(
            {
                "if": {"required": ["match"], "properties": {"match": match}},
                "then": {"properties": {"rules": {"items": rule}}},
            }
        )
    return {"allOf": branches}


def _definitions(catalogue: Catalogue) -> dict[str, Schema]:
    return {"field": _fields(catalogue), "condition": _condition(), **_values()}


def _values() -> dict[str, Schema]:
    named = {key: _object({key: _TEXT}, required=(key,)) for key in ("field", "param", "list")}
    named["field"]["properties"]["field"] = {"$ref": "#/$defs/field"}
    return {
        "one": {
            "if": {"type": "object"},
            "then": _either(named, "field", "param"),
            "else": _SCALAR,
        },
        "many": {
            "if": {"type": "object"},
            "then": _either(named, "field", "param", "list"),
            "else": _array(_SCALAR, least=1),
        },
        "flag": _FLAG,
        "pattern": {"if": {"type": "object"}, "then": named["param"], "else": _TEXT},
    }


def _either(named: Mapping[str, Schema], *keys: str) -> Schema:
    merged = {key: named[key]["properties"][key] for key in keys}
    return _object(merged, minProperties=1, maxProperties=1)


def _condition() -> Schema:
    """Return the condition, dispatched by the key that is there, so that mistakes read well."""
    # `oneOf` would complain of every branch; an author should hear of the one that was meant.
    inner = {"$ref": "#/$defs/condition"}
    test = _object(
        {
            "field": {"$ref": "#/$defs/field"},
            "part": _enum(PARTS),
            "timeZone": {
                "if": {"type": "object"},
                "then": _object({"param": _TEXT}, required=("param",)),
                "else": {
                    **_TEXT,
                    "description": "IANA name of the zone of a time of day, a weekday or a date.",
                    "examples": ["Europe/Amsterdam", "UTC"],
                },
            },
            "caseSensitive": _FLAG,
            **{name: _operator(operator) for name, operator in OPERATORS.items()},
        },
        required=("field",),
        anyOf=[{"required": [name]} for name in OPERATORS],
    )
    groups = {
        key: _object({key: _array(inner, least=1)}, required=(key,)) for key in ("allOf", "anyOf")
    }
    groups["not"] = _object({"not": inner}, required=("not",))
    branches = [
        {"if": {"required": [key]}, "then": schema}
        for key, schema in (("field", test), *groups.items())
    ]
    return {
        "type": "object",
        "allOf": [
            *branches,
            {"anyOf": [{"required": [key]} for key in ("field", *groups)]},
        ],
    }


def _operator(operator: Operator) -> Schema:
    return {"$ref": f"#/$defs/{operator.takes}", "description": operator.doc}


def _arriving(catalogue: Catalogue) -> tuple[str, ...]:
    return tuple(catalogue.arriving())


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


def _list(catalogue: Catalogue) -> Schema:
    properties = {
        **_version("List"),
        "name": _NAME,
        "title": _TEXT,
        "description": _TEXT,
        "contact": _TEXT,
        "caseless": {**_FLAG, "default": False},
        "items": _array(_TEXT),
    }
    return _head("Mailbox Guard list", _object(properties, required=("kind", "name", "items")))


def _exception(catalogue: Catalogue) -> Schema:
    needed = (
        "apiVersion", "kind", "name", "policy", "rules", "reason", "ticket", "approvedBy",
        "expires",
    )  # fmt: skip
    properties = {
        **_version("Exception"),
        "name": _NAME,
        "policy": _NAME,
        "rules": _array(_NAME, least=1),
        "reason": _TEXT,
        "ticket": _TEXT,
        "approvedBy": _TEXT,
        "expires": {
            "type": "string",
            "description": "The last day, at most 180 days ahead.",
            "examples": ["2026-12-31"],
        },
        "when": _array({"$ref": "#/$defs/condition"}),
    }
    body = _object(properties, required=needed)
    return _head("Mailbox Guard exception", {**body, "$defs": _definitions(catalogue)})


def _params(catalogue: Catalogue) -> Schema:
    overrides: Schema = {
        "type": "object",
        "properties": {"mode": _enum(MODES)},
        "additionalProperties": {"anyOf": [_SCALAR, _array(_SCALAR)]},
    }
    return _head(
        "Mailbox Guard params of one environment",
        {
            "type": "object",
            "properties": _version("Params"),
            "additionalProperties": overrides,
        },
    )


def _test(catalogue: Catalogue) -> Schema:
    names = _array(_TEXT)
    anything: Schema = {"type": "object"}
    change = _object(
        {
            "operation": _enum(OPERATIONS, "update"),
            "entity": _enum(_arriving(catalogue), "mailbox"),
            "table": _enum(_arriving(catalogue)),
            "record_id": _TEXT,
            **{key: anything for key in ("old", "new", "actor", "facts", "request", "missing")},
        }
    )
    expect = _object(
        {
            "decision": _enum(tuple(outcome.value for outcome in Outcome)),
            "verdict": _enum(tuple(OUTCOMES), None, "In the place of a decision, on a message."),
            "cause": _TEXT,
            **{key: names for key in ("rules", "held", "warned", "audited", "errors", "excepted")},
            "message": {"anyOf": [_TEXT, names]},
        }
    )
    case = _object(
        {
            "name": _TEXT,
            "use": _TEXT,
            "change": change,
            "record": {**_TEXT, "description": "A file with a recorded decision."},
            "now": _MOMENT,
            "policies": names,
            "set": anything,
            "expect": expect,
        },
        required=("name",),
    )
    case["anyOf"] = [{"required": [key]} for key in ("use", "change", "record")]
    # A recorded decision expects what was recorded.
    case |= {"if": {"not": {"required": ["record"]}}, "then": {"required": ["expect"]}}
    properties = {
        **_version("Test"),
        "title": _TEXT,
        "description": _TEXT,
        "now": _MOMENT,
        "policies": names,
        "fixtures": {"type": "object", "additionalProperties": change},
        "cases": _array(case),
    }
    return _head("Mailbox Guard policy test", _object(properties, required=("cases",)))


def _catalogue(catalogue: Catalogue) -> Schema:
    labels: Schema = {
        "type": "object",
        "anyOf": [{"additionalProperties": {"type": kind}} for kind in ("integer", "string")],
    }
    field = _object(
        {
            "type": _enum(tuple(kind.value for kind in Kind)),
            "caseless": {
                **_FLAG,
                "default": True,
                "description": "Compared without case, everywhere; of a text true if absent.",
            },
            "personal": {**_FLAG, "description": "Personal data, masked in the records."},
            "arrives": _enum(
                tuple(one.value for one in Arrival),
                None,
                "Whether a delivery brings it, carries it in an image, it is looked up, or never.",
            ),
            "form": _enum(
                tuple(one.value for one in FORMS),
                None,
                "What a text is; values that it cannot hold are complained of.",
            ),
            "doc": _TEXT,
            "values": labels,
        },
        required=("type",),
        **{
            "if": {"properties": {"type": {"const": Kind.CHOICE.value}}},
            "then": {"required": ["values"]},
        },
    )
    alias = _object({"alias": _TEXT, "doc": _TEXT}, required=("alias",))
    entry = {"if": {"required": ["alias"]}, "then": alias, "else": field}
    return _head(
        "Mailbox Guard field catalogue",
        {
            "type": "object",
            "properties": _version("Catalogue"),
            "additionalProperties": {
                "type": "object",
                "properties": {"effects": _effect_sets(entry), "arrives": _of_entity(entry)},
                "additionalProperties": entry,
            },
        },
    )


def _of_entity(entry: Schema) -> Schema:
    words = _enum(tuple(one.value for one in OF_ENTITY), None, "Whether a delivery of it comes.")
    return {"if": {"type": "string"}, "then": words, "else": entry}


def _effect_sets(entry: Schema) -> Schema:
    sets = [list(one.effects) for one in EFFECT_SETS]
    return {
        "if": {"type": "array"},
        "then": {"enum": sets, "description": "Which effects rules on this entity have."},
        "else": entry,
    }
