"""How tables are described: columns with their kinds, relations with their navigation names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

KINDS = frozenset(
    {"string", "int", "bigint", "bool", "choice", "datetime", "guid", "lookup", "double"}
)


@dataclass(frozen=True, slots=True)
class Column:
    """A column: what it holds and who may write it."""

    name: str
    kind: str
    targets: tuple[str, ...] = ()
    options: Mapping[int, str] = field(default_factory=dict)
    limit: int | None = None
    default: object = None
    read_only: bool = False
    write_only: bool = False


@dataclass(frozen=True, slots=True)
class Relation:
    """A collection-valued navigation: one to many by a lookup, many to many by a table between."""

    name: str
    target: str
    lookup: str = ""
    between: str = ""
    near: str = ""
    far: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table by its logical name."""

    logical: str
    entity_set: str
    key: str
    name_column: str
    columns: Mapping[str, Column]
    relations: Mapping[str, Relation]
    type_code: int


_STANDARD = """
createdon datetime !r
modifiedon datetime !r
createdby lookup:systemuser !r
modifiedby lookup:systemuser !r
createdonbehalfby lookup:systemuser !r
modifiedonbehalfby lookup:systemuser !r
versionnumber bigint !r
overriddencreatedon datetime
"""


def _column(line: str, choices: Mapping[str, Mapping[int, str]]) -> Column:
    """Read one line: `name kind[:argument] [=default] [!r|!w]`."""
    name, kind_text, *marks = line.split()
    kind, _, argument = kind_text.partition(":")
    if kind not in KINDS:
        raise ValueError(f"Column {name} has the unknown kind {kind}.")
    default: object = None
    for mark in marks:
        if mark.startswith("="):
            text = mark[1:]
            default = (text == "true") if kind == "bool" else int(text)
    return Column(
        name=name,
        kind=kind,
        targets=tuple(argument.split(",")) if kind == "lookup" else (),
        options=choices[argument] if kind == "choice" else {},
        limit=int(argument) if kind == "string" and argument else None,
        default=default,
        read_only="!r" in marks,
        write_only="!w" in marks,
    )


def describe(
    logical: str,
    entity_set: str,
    columns: str,
    *,
    key: str | None = None,
    name_column: str = "name",
    relations: tuple[Relation, ...] = (),
    choices: Mapping[str, Mapping[int, str]] | None = None,
    type_code: int = 10000,
) -> Table:
    """Return the table that the lines describe, with the columns that every table has."""
    key = key or f"{logical}id"
    lines = [line for line in (columns + _STANDARD).splitlines() if line.strip()]
    found = [Column(key, "guid"), *(_column(line, choices or {}) for line in lines)]
    return Table(
        logical=logical,
        entity_set=entity_set,
        key=key,
        name_column=name_column,
        columns={column.name: column for column in found},
        relations={relation.name: relation for relation in relations},
        type_code=type_code,
    )
