"""`policy operators`: every way to test a field, with an example."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import click

from console.output import Output, emit, output_option, table
from kernel.errors import InputRefused


@click.command(help="List the operators of conditions, or tell one whole.")
@click.argument("name", required=False)
@output_option()
def operators(name: str | None, outputs: Sequence[Output]) -> None:
    """Every operator with what it takes, what it fits, and an example."""
    from rules.complaint import closest
    from rules.operators import OPERATORS

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
    rows = [(one["name"], one["takes"], one["doc"]) for one in found]
    return table(("operator", "takes", "holds when"), rows)


def _whole(one: dict[str, Any]) -> str:
    return "\n".join(
        (
            f"{one['name']}: {one['doc']}",
            f"  takes    {one['takes']}",
            f"  fits     {', '.join(one['kinds'])}",
            f"  example  {json.dumps(one['example'])}",
            f"  holds    {json.dumps(one['holds'])}",
            f"  fails    {json.dumps(one['fails'])}",
        )
    )
