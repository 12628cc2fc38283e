"""The small pieces of which every schema is made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from rules.load.keys import LANGUAGE, MOST_LANGUAGES, NAME

Schema = dict[str, Any]

NAME_TEXT: Final[Schema] = {"type": "string", "pattern": f"^{NAME.pattern}$"}
TEXT: Final[Schema] = {"type": "string"}
LANGUAGE_TEXT: Final[Schema] = {"type": "string", "pattern": f"^{LANGUAGE.pattern}$"}
FLAG: Final[Schema] = {"type": "boolean"}
SCALAR: Final[Schema] = {"type": ["string", "number", "boolean"]}
MOMENT_TEXT: Final[Schema] = {"type": "string", "examples": ["2026-08-21T10:00:00Z"]}


def object_of(
    properties: Mapping[str, Schema], *, required: tuple[str, ...] = (), **more: Any
) -> Schema:
    """Return a mapping with these keys and no others."""
    found: Schema = {
        "type": "object", "properties": dict(properties), "additionalProperties": False, **more,
    }  # fmt: skip
    if required:
        found["required"] = list(required)
    return found


def in_languages(text: Schema, doc: str) -> Schema:
    """Return such a text, or one for each language."""
    by_tag: Schema = {
        "type": "object",
        "propertyNames": LANGUAGE_TEXT,
        "additionalProperties": text,
        "minProperties": 1,
        "maxProperties": MOST_LANGUAGES,
    }
    return {"anyOf": [text, by_tag], "description": doc}


def enum_of(values: tuple[str, ...], default: str | None = None, doc: str | None = None) -> Schema:
    """Return one of these words."""
    found: Schema = {"enum": list(values)}
    if default is not None:
        found["default"] = default
    if doc is not None:
        found["description"] = doc
    return found


def array_of(items: Schema, *, least: int = 0) -> Schema:
    """Return a list of such items."""
    return {"type": "array", "items": items, **({"minItems": least} if least else {})}
