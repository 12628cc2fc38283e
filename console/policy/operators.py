"""`policy operators`: every way to test a field, with an example."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import click

from console.output import Output, emit, output_option, table
from kernel.errors import InputRefused

_TAKES: Final = {
    "one": "one value, or another field",
    "many": "several values, or a named list",
    "flag": "true or false",
    "pattern": "a regular expression (RE2)",
}


@click.command(help="List the operators of conditions, or tell one whole.")
@click.argument("name", required=False)
@output_option()
def operators(name: str | None, outputs: Sequence[Output]) -> None:
    """Every operator with what it takes, what it fits, and an example."""
    from rules.operators.table import OPERATORS
    from rules.syntax.complaint import closest

    if name is not None and name not in OPERATORS:
        raise InputRefused(f"`{name}` is not an operator.", hint=closest(name, OPERATORS))
    chosen = [each for key, each in OPERATORS.items() if name in (None, key)]
    found = [
        {
            "name": each.name,
            "doc": each.doc,
            "takes": each.takes,
            "kinds": sorted(kind.value for kind in each.kinds),
            "example": dict(each.example.condition),
            "holds": dict(each.example.holds),
            "fails": dict(each.example.fails),
        }
        for each in chosen
    ]
    emit(outputs, found, text=lambda: _text(found) if name is None else _whole(found[0]))


def _text(found: Sequence[dict[str, Any]]) -> str:
    rows = [(one["name"], _TAKES[one["takes"]], one["doc"]) for one in found]
    return table(("operator", "takes", "holds when"), rows)


def _whole(one: dict[str, Any]) -> str:
    from textwrap import indent

    from rules.syntax.dump import yaml_text

    return "\n".join(
        (
            f"{one['name']}: {one['doc']}",
            f"  takes    {_TAKES[one['takes']]}",
            f"  fits     {', '.join(one['kinds'])}",
            f"  holds    {_values(one['holds'])}",
            f"  fails    {_values(one['fails'])}",
            "",
            indent(yaml_text([one["example"]]).rstrip(), "  "),
        )
    )


def _values(values: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{path}: {'(empty)' if value is None else value}" for path, value in values.items()
    )
