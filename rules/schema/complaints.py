"""What a JSON Schema validator finds, in the codes and words that the loader uses.

A validator's own sentence ("Additional properties are not allowed") is no help to somebody who
edits YAML: each error becomes complaints at the very key, with the closest right name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from rules.load.conditions import SETTINGS
from rules.operators.table import OPERATORS
from rules.syntax.complaint import FIELDS_LISTED, OPERATORS_LISTED, Complaint, article, closest
from rules.syntax.nodes import ListNode, MapNode, Node

_INTO: Final = frozenset({"allOf", "then", "else", "if", "$ref"})
_NOUNS: Final = {
    "rules": "rule", "cases": "case", "when": "condition", "require": "condition",
    "unless": "condition", "allOf": "condition", "anyOf": "condition", "not": "condition",
    "fixtures": "change", "change": "change", "match": "match", "expect": "expectation",
}  # fmt: skip
_TYPES: Final = {
    "object": "a mapping of keys to values", "array": "a list", "string": "a text",
    "boolean": "true or false", "number": "a number", "integer": "a whole number",
}  # fmt: skip
_TYPE_HINTS: Final = {"array": "Begin each item with `- `.", "string": "Put it in quotes."}
_CODES: Final = {"mode": "mode-unknown", "entity": "entity-unknown", "kind": "kind-unknown",
                 "apiVersion": "version-unknown"}  # fmt: skip
CONDITION_KEYS: Final = ("field", "allOf", "anyOf", "not")
_MOST_LISTED: Final = 12


def complaints_from(error: Any, root: Node, file: str) -> Iterator[Complaint]:
    """Yield what one error of the validator means for the author."""
    if error.validator in _INTO and error.context:
        for inner in error.context:
            yield from complaints_from(inner, root, file)
        return
    path = list(error.absolute_path)
    if error.validator == "anyOf" and not _is_shape(error):
        for inner in _likeliest(error):
            yield from complaints_from(inner, root, file)
        return
    for code, text, hint, key in _said(error, path):
        node = _place(root, path, key)
        yield Complaint(file, node.line, node.column, code, text, hint)


def _said(error: Any, path: list[Any]) -> Iterator[tuple[str, str, str | None, str | None]]:
    """Yield code, text, hint and the key at which it stands, None for the value's own place."""
    noun = _noun(path)
    match error.validator:
        case "additionalProperties":
            yield from _unknown_keys(error, noun)
        case "required":
            yield from _missing_keys(error, noun)
        case "enum" | "const":
            yield _unknown_value(error, path)
        case "type":
            wanted = error.validator_value
            words = [_TYPES[one] for one in ([wanted] if isinstance(wanted, str) else wanted)]
            hint = _TYPE_HINTS.get(wanted) if isinstance(wanted, str) else None
            yield "type-wrong", f"{_name(path)} must be {' or '.join(words)}.", hint, None
        case "pattern":
            shown = str(error.instance)[:80]
            text = f"`{shown}` is not a name: use 3 to 63 small letters, digits or hyphens."
            yield "name-invalid", text, None, None
        case "minItems":
            yield "condition-shape", f"{_name(path)} needs at least one item.", None, None
        case "anyOf" if noun == "case":
            yield "key-missing", "The case lacks `use`.", "Add `use:` with a fixture.", None
        case "anyOf" if "field" in error.instance:
            # A stranger among the keys is told by itself, and is likely meant as the operator.
            if error.instance.keys() <= error.schema["properties"].keys():
                yield (
                    "operator-missing", "The condition names a field and no operator.",
                    "Add one, such as `equals:` or `exists: true`.", None,
                )  # fmt: skip
        case "minProperties" | "maxProperties":
            text = "A value is a literal, {field: path}, {param: name} or {list: name}."
            yield "value-misfit", text, None, None
        case "not":
            yield "param-reserved", "A param cannot be called `mode`.", "Rename it.", "mode"
        case _:
            kinds = [key for key in CONDITION_KEYS if key in error.instance]
            names = (
                ", ".join(f"`{kind}`" for kind in kinds)
                or ", ".join(error.instance)[:80]
                or "nothing"
            )
            text = f"A condition is exactly one of field, allOf, anyOf, not; this one has {names}."
            near = closest(next(iter(error.instance), ""), CONDITION_KEYS)
            yield "condition-shape", text, near if not kinds else None, None


def _unknown_keys(error: Any, noun: str) -> Iterator[tuple[str, str, str | None, str | None]]:
    known = list(error.schema.get("properties", ()))
    for key in error.instance:
        if key in known:
            continue
        if "field" in known and not OPERATORS.keys().isdisjoint(known):
            if key in OPERATORS or key in SETTINGS:
                yield "operator-misfit", f"`{key}` does not fit the field.", None, key
                continue
            hint = closest(key, [*OPERATORS, *SETTINGS]) or OPERATORS_LISTED
            yield "operator-unknown", f"`{key[:80]}` is not an operator.", hint, key
        else:
            text = f"`{key[:80]}` is not a key of {article(noun)}."
            yield "key-unknown", text, closest(key, known), key


def _missing_keys(error: Any, noun: str) -> Iterator[tuple[str, str, str | None, str | None]]:
    for key in error.validator_value:
        if key not in error.instance:
            yield "key-missing", f"The {noun} lacks `{key}`.", f"Add `{key}:`.", None


def _unknown_value(error: Any, path: list[Any]) -> tuple[str, str, str | None, str | None]:
    allowed = error.validator_value
    words = [str(one) for one in (allowed if isinstance(allowed, list) else [allowed])]
    shown = error.instance if isinstance(error.instance, str) else repr(error.instance)
    hint = closest(shown, words)
    key = next((one for one in reversed(path) if isinstance(one, str)), "")
    if len(words) > _MOST_LISTED:
        return "field-unknown", f"`{shown[:80]}` is not a field.", hint or FIELDS_LISTED, None
    code = _CODES.get(key, "value-unknown")
    return code, f"{_name(path)} must be one of {', '.join(words)}.", hint, None


def _is_shape(error: Any) -> bool:
    """Tell whether an anyOf only asks which key is there."""
    return all(list(option) == ["required"] for option in error.validator_value)


def _likeliest(error: Any) -> Iterable[Any]:
    """Return the errors of the alternative that fits the value's type; the first without one."""
    branches: dict[Any, list[Any]] = {}
    for inner in error.context:
        branches.setdefault(inner.schema_path[0], []).append(inner)
    depth = len(error.absolute_path)
    for several in branches.values():
        own = [one for one in several if len(one.absolute_path) == depth]
        if not any(one.validator == "type" for one in own):
            wrong = isinstance(error.instance, list | dict) and any(
                one.validator == "enum" for one in own
            )
            if not wrong:
                return several
    return next(iter(branches.values()))


def _noun(path: list[Any]) -> str:
    for step in reversed(path):
        if isinstance(step, str) and step in _NOUNS:
            return _NOUNS[step]
    return "file" if not path else "value"


def _name(path: list[Any]) -> str:
    if not path:
        return "The file"
    key = next((step for step in reversed(path) if isinstance(step, str)), "value")
    return f"Each item of `{key}`" if isinstance(path[-1], int) else f"`{key}`"


def _place(root: Node, path: list[Any], key: str | None) -> Node:
    node = root
    for step in path:
        if isinstance(node, MapNode) and step in node.entries:
            node = node.entries[str(step)]
        elif isinstance(node, ListNode) and isinstance(step, int) and step < len(node.items):
            node = node.items[step]
        else:
            break
    if key is not None and isinstance(node, MapNode):
        return node.keys.get(key, node)
    return node
