"""Microsoft's own description of Graph as a judge of JSON answers."""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

_NAME = "urn:graph"
_FILE = Path(__file__).parents[1] / "data" / "graph-openapi-subset.yaml"


def _convert(node: Any) -> Any:
    """Make JSON Schema of OpenAPI 3.0: nullable becomes a type, extensions go, objects are open."""
    if isinstance(node, list):
        return [_convert(one) for one in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return {"$ref": f"{_NAME}{node['$ref']}"}
    kept = {
        key: _convert(value)
        for key, value in node.items()
        if not (isinstance(key, str) and key.startswith("x-"))
        and key not in ("additionalProperties", "discriminator", "nullable", "format", "pattern")
    }
    if node.get("nullable") is True:
        return {"anyOf": [kept, {"type": "null"}]}
    return kept


@functools.cache
def _description() -> tuple[dict[str, Any], Any]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    document = yaml.load(_FILE.read_text(encoding="utf-8"), Loader=loader)  # noqa: S506
    return document, _convert(document["components"])


def _segments(path: str) -> list[str]:
    path = re.sub(r"\(\)", "", path)
    path = re.sub(r"\('([^']*)'\)", r"/\1", path)
    return [re.sub(r"^(microsoft\.)?graph\.", "", part) for part in path.split("/") if part]


def _fits(template: str, path: str) -> bool:
    wanted, present = _segments(template), _segments(path)
    return len(wanted) == len(present) and all(
        one.startswith("{") or one.lower() == other.lower()
        for one, other in zip(wanted, present, strict=True)
    )


@functools.cache
def _registry() -> Any:
    resource = Resource.from_contents(
        {"components": _description()[1]}, default_specification=DRAFT202012
    )
    return Registry().with_resource(_NAME, resource)


def complaints(method: str, path: str, status: int, body: bytes) -> list[str] | None:
    """Return what the description says against an answer; None when it does not describe it."""
    document, components = _description()
    found = [t for t in document["paths"] if _fits(t, path.removeprefix("/v1.0"))]
    literal = [t for t in found if "{" not in t.rsplit("/", 1)[-1]] or found
    if not literal or method.lower() not in document["paths"][literal[0]]:
        return None
    responses = document["paths"][literal[0]][method.lower()]["responses"]
    answer = responses["2XX"] if status < 300 and "2XX" in responses else None
    if status >= 400:
        answer = responses["default"]
    if answer is None or not body:
        return None
    answer = _convert(answer)
    if "$ref" in answer:
        answer = components["responses"][answer["$ref"].rsplit("/", 1)[-1]]
    if "application/json" not in answer["content"]:
        return None
    schema = answer["content"]["application/json"]["schema"]
    validator = Draft202012Validator(schema, registry=_registry())
    return [
        f"{'/'.join(map(str, error.absolute_path))}: {error.message[:200]}"
        for error in validator.iter_errors(json.loads(body))
    ]
