"""What the schemas offer beside a field is what the loader takes: the operators that fit it.

`tests/editor` asks an editor's own language server; this walks the schemas by themselves, wherever
there is no node.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest

from rules.load.loader import catalogue_of
from rules.model.catalogue import SHARED_ROOTS, Kind
from rules.operators.table import OPERATORS
from rules.schema.generate import schemas

_CATALOGUE = catalogue_of(None)
_SCHEMA = schemas(_CATALOGUE)["policy.schema.json"]
_FIELDS = sorted(
    {
        written
        for table in _CATALOGUE.arriving()
        for path in _CATALOGUE.paths(table)
        for written in (path, path.removeprefix("new."))
    }
)


def _holds(schema: dict[str, Any], value: object) -> bool:
    whole = {**schema, "$defs": _SCHEMA["$defs"]}
    return jsonschema.Draft202012Validator(whole).is_valid(value)


def _objects(schema: dict[str, Any], value: object) -> Iterator[dict[str, Any]]:
    """Yield every schema that applies to a value, through references and dispatch."""
    if "$ref" in schema:
        schema = _SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]]
    yield schema
    for one in schema.get("allOf", ()):
        yield from _objects(one, value)
    if "if" in schema:
        branch = "then" if _holds(schema["if"], value) else "else"
        if branch in schema:
            yield from _objects(schema[branch], value)


def _offered(condition: dict[str, object]) -> set[str]:
    """Return the keys that a condition may have, as far as it is written."""
    closed = [
        one["properties"]
        for one in _objects({"$ref": "#/$defs/condition"}, condition)
        if one.get("additionalProperties") is False
    ]
    assert len(closed) == 1, condition
    return set(closed[0])


def _kinds(path: str) -> set[Kind]:
    found = (_CATALOGUE.resolve(table, path) for table in _CATALOGUE.arriving())
    return {one.field.kind for one in found if one is not None}


def _fitting(kinds: set[Kind], path: str) -> set[str]:
    is_alone = path.partition(".")[0] in ("old", *SHARED_ROOTS)
    return {
        name
        for name, each in OPERATORS.items()
        if not each.kinds.isdisjoint(kinds) and not (is_alone and each.needs_old)
    }


@pytest.mark.parametrize("path", _FIELDS)
def test_the_operators_that_fit_a_field_are_offered_and_no_others(path: str) -> None:
    assert _offered({"field": path}) & OPERATORS.keys() == _fitting(_kinds(path), path)


@pytest.mark.parametrize(
    ("path", "part", "kind"),
    [
        ("address", "length", Kind.NUMBER),
        ("address", "domain", Kind.STRING),
        ("request.time", "weekday", Kind.CHOICE),
        ("request.time", "timeOfDay", Kind.DATETIME),
        ("request.time", "date", Kind.DATETIME),
    ],
)
def test_a_part_is_offered_what_fits_the_part(path: str, part: str, kind: Kind) -> None:
    offered = _offered({"field": path, "part": part})
    assert offered & OPERATORS.keys() == _fitting({kind}, path)
    assert ("timeZone" in offered) is (path == "request.time")


def test_every_field_is_offered_with_its_words() -> None:
    offered = _SCHEMA["$defs"]["field"]
    assert set(_FIELDS) <= set(offered["enum"])
    assert len(offered["markdownEnumDescriptions"]) == len(offered["enum"])
    assert all(offered["markdownEnumDescriptions"])
