"""What docs/ says of operators: a page with an example of each, and the table in the tutorial."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from console.reference.table import table
from rules.operators.fields import PARTS
from rules.operators.operator import Operator
from rules.operators.table import OPERATORS
from rules.syntax.dump import yaml_text

_HEAD = """\
# Operators

A condition names one `field` and puts one or more operators beside it; all of them must hold. The
examples below are executed by a test: for the values under *holds* the condition holds, for those
under *fails* it does not. How rules, errors and empty fields go together stands in
[policies](policies.md).

`part` looks at a part of a text or, in the zone that `timeZone` names, of a moment: {parts}.
`caseSensitive: true` compares with the case where the catalogue says that a field has none; it is
seldom right, see [lint](lint.md).

"""
_TABLE_BEGINS: Final = "<!-- operators: made by `python -m console.reference --write` -->\n"
_TABLE_ENDS: Final = "<!-- /operators -->\n"
_TAKES: Final[Mapping[str, str]] = {
    "one": "one value, `{field: path}` or `{param: name}`",
    "many": "a list, `{list: name}`, `{param: name}`, or `{field: path}` of a list",
    "flag": "true or false",
    "pattern": "an RE2 expression, or `{param: name}`",
}


def operators_page() -> str:
    """Return docs/operators.md."""
    parts = _HEAD.format(parts=", ".join(f"`{part}`" for part in PARTS)).replace("{{", "{")
    rows = ((f"[`{each.name}`](#{each.name.lower()})", each.doc) for each in OPERATORS.values())
    return (
        parts
        + table(("operator", "holds when"), rows)
        + "".join(_section(each) for each in OPERATORS.values())
    )


def policies_page() -> str:
    """Return docs/policies.md as it stands, with its table of operators made anew."""
    text = (Path(__file__).parents[2] / "docs" / "policies.md").read_text("utf-8")
    before, begin, rest = text.partition(_TABLE_BEGINS)
    _, end, after = rest.partition(_TABLE_ENDS)
    rows = ((f"`{each.name}`", each.doc, _TAKES[each.takes]) for each in OPERATORS.values())
    made = table(("operator", "holds when", "takes"), rows)
    return f"{before}{begin}\n{made}{end}{after}"


def _section(each: Operator) -> str:
    kinds = ", ".join(sorted(kind.value for kind in each.kinds))
    empty = (
        "An empty field is an answer here." if each.answers_empty else "An empty field is an error."
    )
    new_only = " Only for fields with a before and an after." if each.needs_old else ""
    example = yaml_text([dict(each.example.condition)])
    return (
        f"\n## {each.name}\n\n{each.doc} {empty}{new_only}\n\n"
        f"Takes {_TAKES[each.takes]}. Fits fields of the types {kinds}.\n\n"
        f"```yaml\n{example}```\n\n"
        f"- holds for {_values(each.example.holds)}\n"
        f"- fails for {_values(each.example.fails)}\n"
    )


def _values(values: Mapping[str, Any]) -> str:
    return ", ".join(f"`{path}: {_flow(value)}`" for path, value in values.items())


def _flow(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_flow, value))}]"
    return "(empty)" if value is None else str(value)
