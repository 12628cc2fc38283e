"""Conditions as written, said again in CEL: a second reading of the language by other hands.

Each operator brings its CEL; fields, parts, case and values are translated here, from the plain
YAML and not from our trees, and all of it is judged by Google's own engine. A field is a typed
variable of its dotted name; a field that is empty, unknown or misshapen has no value, which is an
error in CEL as it is here. `has.<field>` says whether it holds something, and is itself without a
value when that is not known.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cel_expr_python import cel
from cel_expr_python.ext import ext_strings

from rules.operators.table import OPERATORS

TYPES = {
    "emailaddress": cel.Type.STRING,
    "name": cel.Type.STRING,
    "owner.upn": cel.Type.STRING,
    "actor.roles": cel.Type.List(cel.Type.STRING),
    "emailrouteraccessapproval": cel.Type.INT,
    "owner.type": cel.Type.STRING,
    "enabledforact": cel.Type.BOOL,
    "testemailconfigurationretrycount": cel.Type.DYN,
    "processemailreceivedafter": cel.Type.TIMESTAMP,
}
CASELESS = {"emailaddress", "owner.upn", "actor.roles"}
LABELS = {"empty": 0, "approved": 1, "pending": 2, "rejected": 3}
_NO_TEXT = "string(1 / 0)"


def environment() -> Any:
    """Return the CEL environment with every variable declared."""
    variables: dict[str, Any] = {}
    for field, kind in TYPES.items():
        for root in ("new.", "old.") if not field.startswith("actor.") else ("",):
            variables[f"{root}{field}"] = kind
            variables[f"has.{root}{field}"] = cel.Type.BOOL
    return cel.NewEnv(variables=variables, extensions=[ext_strings.ExtStrings(4)])


def rule_expression(rule: Mapping[str, Any]) -> str:
    """Return the CEL of a rule: "skip", "pass" or "fail", or an error."""
    when, unless = (_all(rule.get(key, ())) for key in ("when", "unless"))
    require = f'({_all(rule["require"])} ? "pass" : "fail")'
    excused = f'({unless} ? "skip" : {require})' if rule.get("unless") else require
    return f'({when} ? {excused} : "skip")'


def _all(conditions: Any) -> str:
    return "(" + " && ".join(condition(one) for one in conditions) + ")" if conditions else "true"


def condition(written: Mapping[str, Any]) -> str:
    """Return the CEL of one condition."""
    if "not" in written:
        return f"!{condition(written['not'])}"
    for key, sign in (("allOf", " && "), ("anyOf", " || ")):
        if key in written:
            return "(" + sign.join(condition(one) for one in written[key]) + ")"
    return _test(written)


def _test(written: Mapping[str, Any]) -> str:
    field = written["field"].removeprefix("new.")
    new = field if field.startswith(("actor.", "old.")) else f"new.{field}"
    plain = field.removeprefix("old.")
    folds = plain in CASELESS and not written.get("caseSensitive")
    folds = folds or written.get("part") == "domain"
    tests = [
        _operator(name, value, new, plain, written.get("part"), folds=folds)
        for name, value in written.items()
        if name not in ("field", "part", "caseSensitive")
    ]
    return "(" + " && ".join(tests) + ")"


def _operator(name: str, value: Any, new: str, field: str, part: str | None, *, folds: bool) -> str:
    operator, old = OPERATORS[name], f"old.{field}"
    said = operator.cel_of_list if _is_list(field) else operator.cel
    assert said is not None, f"`{name}` says nothing in CEL"
    if operator.takes == "pattern":
        # Case is the pattern's matter, so the text is left as it is.
        flag, folds = ("(?i)" if folds else ""), False
        value = f"{flag}\\A(?:{value})\\z"
    if isinstance(value, dict):
        against = _value(_path(value["field"]), value["field"], None, folds=folds)
    else:
        against = _literal(value, field, folds=folds, part=part)
    sides = {"new": new, "old": old}
    return "({})".format(
        said.format(
            value=against,
            **{key: _value(path, field, part, folds=folds) for key, path in sides.items()},
            **{f"has_{key}": f"has.{path}" for key, path in sides.items()},
        )
    )


def _is_list(field: str) -> bool:
    return field == "actor.roles"


def _path(field: str) -> str:
    return field if field.startswith(("actor.", "old.")) else f"new.{field}"


def _value(path: str, field: str, part: str | None, *, folds: bool) -> str:
    """Return a side of a field as it is compared; an error when a part cannot be taken of it."""
    texts = TYPES.get(field) == cel.Type.STRING and field != "owner.type"
    whole = f"{path}.lowerAscii()" if folds and texts else path
    if folds and _is_list(field):
        return f"{path}.map(x, x.lowerAscii())"
    at = f'{path}.lastIndexOf("@")'
    match part:
        case "length":
            return f"{path}.size()"
        case "domain":
            piece = f"{whole}.substring({at} + 1)"
        case "local":
            piece = f"{whole}.substring(0, {at})"
        case _:
            return whole
    return f"({at} > 0 && {at} < {path}.size() - 1 ? {piece} : {_NO_TEXT})"


def _literal(value: Any, field: str, *, folds: bool, part: str | None = None) -> str:
    if isinstance(value, list):
        inner = (_literal(one, field, folds=folds, part=part) for one in value)
        return f"[{', '.join(inner)}]"
    if field == "emailrouteraccessapproval" and isinstance(value, str):
        return str(LABELS[value])
    if field == "processemailreceivedafter" and isinstance(value, str):
        return f"timestamp({json.dumps(value)})"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value.lower() if folds else value, ensure_ascii=False)
    return repr(value)


def activation(values: Mapping[str, Any], unknown: frozenset[str]) -> dict[str, Any]:
    """Return what CEL may know: no variable for what is empty, unknown or misshapen."""
    data: dict[str, Any] = {}
    for path, value in values.items():
        if path in unknown or not _fits(path, value):
            continue
        holds = value is not None and value not in ("", ())
        data[f"has.{path}"] = holds
        if holds or value == ():
            data[path] = list(value) if isinstance(value, tuple) else value
    return data


def _fits(path: str, value: Any) -> bool:
    """Tell whether a value is of its field's kind; what is empty always is."""
    field = path.removeprefix("new.").removeprefix("old.")
    if value is None or value == "":
        return True
    wanted: dict[str, type | tuple[type, ...]] = {
        "actor.roles": tuple, "emailrouteraccessapproval": int, "enabledforact": bool,
        "testemailconfigurationretrycount": (int, float), "processemailreceivedafter": datetime,
    }  # fmt: skip
    kind = wanted.get(field, str)
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
