"""The JSON Schemas of every kind of policy file, made from the catalogue and the operator table.

They serve editors (completion, hover help) and the second pass of `policy validate --schema`. What
a schema cannot say (references, patterns, limits) is the loader's.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Final

from rules.load.keys import VERSIONS
from rules.load.release import MOST_NAMED, OBJECT_ID, PERSON
from rules.model.catalogue import (
    FORMS,
    OF_ENTITY,
    Arrival,
    Catalogue,
    Kind,
)
from rules.model.decision import Outcome
from rules.model.effects import EFFECT_SETS, EFFECTS, OUTCOMES
from rules.policy.policy import (
    LONGEST_HOLD_HOURS,
    MODES,
    ON_ERROR,
    OPERATIONS,
    SEVERITIES,
)
from rules.schema.condition import definitions
from rules.schema.shape import (
    FLAG,
    LANGUAGE_TEXT,
    MOMENT_TEXT,
    NAME_TEXT,
    SCALAR,
    TEXT,
    Schema,
    array_of,
    enum_of,
    in_languages,
    object_of,
)

_DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"


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


def _head(title: str, body: Schema) -> Schema:
    return {"$schema": _DRAFT, "title": title, **body}


def _version(kind: str) -> dict[str, Schema]:
    return {
        "apiVersion": {"enum": list(VERSIONS)},
        "kind": {"const": kind},
    }


def _policy(catalogue: Catalogue) -> Schema:
    conditions = array_of({"$ref": "#/$defs/condition"})
    rule = object_of(
        {
            "id": {**NAME_TEXT, "description": "The reason code is policy/rule."},
            "effect": enum_of(
                EFFECTS, None, "What failing means in mode enforce; the strongest if absent."
            ),
            "severity": enum_of(SEVERITIES),
            "release": _release(),
            "when": {**conditions, "description": "The rule applies only if all of these hold."},
            "require": {
                **conditions, "minItems": 1, "description": "All of these must hold.",
            },
            "unless": {**conditions, "description": "The rule is skipped if all of these hold."},
            "message": in_languages(
                {**TEXT, "pattern": r"\S"},
                "Text for people, with {path} holes; one, or one for each language by its tag.",
            ),
            "help": in_languages(TEXT, "How to mend it; one text, or one for each language."),
        },
        required=("id", "require", "message"),
    )  # fmt: skip
    entity = enum_of(_arriving(catalogue))
    match = object_of(
        {
            "entity": {"anyOf": [entity, array_of(entity, least=1)]},
            "operations": array_of(enum_of(OPERATIONS)),
            "when": conditions,
        },
        required=("entity",),
    )
    properties = {
        **_version("Policy"),
        "name": {**NAME_TEXT, "description": "The file has the same name."},
        "title": TEXT,
        "description": TEXT,
        "severity": enum_of(SEVERITIES, "medium"),
        "category": TEXT,
        "contact": TEXT,
        "language": {
            **LANGUAGE_TEXT,
            "description": "In which answers and records are; else the first of each message.",
        },
        "mode": enum_of(MODES, "enforce", "off, audit (recorded), warn (text returned), enforce."),
        "onError": enum_of(ON_ERROR, "reject", "What an error means in mode enforce."),
        "params": {
            "type": "object",
            "additionalProperties": {"anyOf": [SCALAR, array_of(SCALAR)]},
            "propertyNames": {"not": {"const": "mode"}},
        },
        "match": match,
        "rules": array_of(rule, least=1),
    }
    body = object_of(properties, required=("apiVersion", "kind", "name", "match", "rules"))
    apart = _effects_apart(catalogue)
    return _head("Mailbox Guard policy", {**body, **apart, "$defs": definitions(catalogue)})


def _release() -> Schema:
    person = {"type": "string", "pattern": f"^({PERSON.pattern})$"}
    role = {"type": "string", "pattern": f"^({OBJECT_ID.pattern})$"}
    named = object_of({"list": NAME_TEXT}, required=("list",))
    persons = {**array_of(person, least=1), "maxItems": MOST_NAMED}
    return {
        **object_of(
            {
                "approvers": {
                    "anyOf": [persons, named],
                    "description": "Persons by address or object id; any approver if absent.",
                },
                "entraRoles": {
                    **array_of(role, least=1), "maxItems": MOST_NAMED,
                    "description": "Directory roles by template id: who has one may release it.",
                },
                "hours": {
                    "type": "integer", "minimum": 1, "maximum": LONGEST_HOLD_HOURS,
                    "description": "How long what is held waits for an approver.",
                },
            }
        ),
        "description": "Who may release what the rule holds.",
    }  # fmt: skip


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


def _arriving(catalogue: Catalogue) -> tuple[str, ...]:
    return tuple(catalogue.arriving())


def _list(catalogue: Catalogue) -> Schema:
    properties = {
        **_version("List"),
        "name": NAME_TEXT,
        "title": TEXT,
        "description": TEXT,
        "contact": TEXT,
        "caseless": {**FLAG, "default": False},
        "items": array_of(TEXT),
    }
    return _head("Mailbox Guard list", object_of(properties, required=("kind", "name", "items")))


def _exception(catalogue: Catalogue) -> Schema:
    needed = (
        "apiVersion", "kind", "name", "policy", "rules", "reason", "ticket", "approvedBy",
        "expires",
    )  # fmt: skip
    properties = {
        **_version("Exception"),
        "name": NAME_TEXT,
        "policy": NAME_TEXT,
        "rules": array_of(NAME_TEXT, least=1),
        "reason": TEXT,
        "ticket": TEXT,
        "approvedBy": TEXT,
        "expires": {
            "type": "string",
            "description": "The last day, at most 180 days ahead.",
            "examples": ["2026-12-31"],
        },
        "when": array_of({"$ref": "#/$defs/condition"}),
    }
    body = object_of(properties, required=needed)
    return _head("Mailbox Guard exception", {**body, "$defs": definitions(catalogue)})


def _params(catalogue: Catalogue) -> Schema:
    overrides: Schema = {
        "type": "object",
        "properties": {"mode": enum_of(MODES)},
        "additionalProperties": {"anyOf": [SCALAR, array_of(SCALAR)]},
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
    names = array_of(TEXT)
    anything: Schema = {"type": "object"}
    change = object_of(
        {
            "operation": enum_of(OPERATIONS, "update"),
            "entity": enum_of(_arriving(catalogue), "mailbox"),
            "table": enum_of(_arriving(catalogue)),
            "record_id": TEXT,
            **{key: anything for key in ("old", "new", "actor", "facts", "request", "missing")},
        }
    )
    expect = object_of(
        {
            "decision": enum_of(tuple(outcome.value for outcome in Outcome)),
            "verdict": enum_of(tuple(OUTCOMES), None, "In the place of a decision, on a message."),
            "cause": TEXT,
            **{key: names for key in ("rules", "held", "warned", "audited", "errors", "excepted")},
            "message": {"anyOf": [TEXT, names]},
        }
    )
    case = object_of(
        {
            "name": TEXT,
            "use": TEXT,
            "change": change,
            "record": {**TEXT, "description": "A file with a recorded decision."},
            "now": MOMENT_TEXT,
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
        "title": TEXT,
        "description": TEXT,
        "now": MOMENT_TEXT,
        "policies": names,
        "fixtures": {"type": "object", "additionalProperties": change},
        "cases": array_of(case),
    }
    return _head("Mailbox Guard policy test", object_of(properties, required=("cases",)))


def _catalogue(catalogue: Catalogue) -> Schema:
    labels: Schema = {
        "type": "object",
        "anyOf": [{"additionalProperties": {"type": kind}} for kind in ("integer", "string")],
    }
    field = object_of(
        {
            "type": enum_of(tuple(kind.value for kind in Kind)),
            "caseless": {
                **FLAG,
                "default": True,
                "description": "Compared without case, everywhere; of a text true if absent.",
            },
            "personal": {**FLAG, "description": "Personal data, masked in the records."},
            "arrives": enum_of(
                tuple(one.value for one in Arrival),
                None,
                "Whether a delivery brings it, carries it in an image, it is looked up, or never.",
            ),
            "form": enum_of(
                tuple(one.value for one in FORMS),
                None,
                "What a text is; values that it cannot hold are complained of.",
            ),
            "doc": TEXT,
            "values": labels,
        },
        required=("type",),
        **{
            "if": {"properties": {"type": {"const": Kind.CHOICE.value}}},
            "then": {"required": ["values"]},
        },
    )
    alias = object_of({"alias": TEXT, "doc": TEXT}, required=("alias",))
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
    words = enum_of(tuple(one.value for one in OF_ENTITY), None, "Whether a delivery of it comes.")
    return {"if": {"type": "string"}, "then": words, "else": entry}


def _effect_sets(entry: Schema) -> Schema:
    sets = [list(one.effects) for one in EFFECT_SETS]
    return {
        "if": {"type": "array"},
        "then": {"enum": sets, "description": "Which effects rules on this entity have."},
        "else": entry,
    }
