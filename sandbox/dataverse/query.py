"""Collections: filter, order, expand and page, as the query options say."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from sandbox.dataverse.faults import BAD_QUERY, Fault
from sandbox.dataverse.rows import Ref, Row, View
from sandbox.dataverse.schema import Column, Relation, Table
from sandbox.dataverse.tables import TABLES
from sandbox.dataverse.values import column_of, lookup_named, plain, property_name, row_json
from sandbox.odata import (
    Expansion,
    QueryRefused,
    Resolve,
    parse_expand,
    parse_filter,
    sort_key,
    split_outside,
)

LARGEST_PAGE = 5000
KNOWN_OPTIONS = frozenset(
    {"$select", "$filter", "$orderby", "$top", "$count", "$expand", "$skiptoken", "tag"}
)


@dataclass(frozen=True, slots=True)
class Shape:
    """How rows are shown: which columns, what is expanded, with or without annotations."""

    columns: list[Column]
    expansions: list[Expansion]
    annotations: bool


def shape(table: Table, options: Mapping[str, str], *, annotations: bool) -> Shape:
    """Return how the query wants rows shown. Raises Fault for unknown names."""
    names = split_outside(options.get("$select", ""), ",")
    columns = [column_of(table, name) for name in names] or list(table.columns.values())
    if names and table.key not in names:
        columns.append(table.columns[table.key])
    return Shape(columns, parse_expand(options.get("$expand", "")), annotations)


def shown(table: Table, row: Row, view: View, how: Shape) -> dict[str, Any]:
    """Return a row as the query wants it."""
    body = row_json(table, row, view, columns=how.columns, annotations=how.annotations)
    for expansion in how.expansions:
        body[expansion.name] = _expanded(table, row, view, expansion, how)
    return body


def related(table: Table, row: Row, view: View, relation: Relation) -> list[Row]:
    """Return the rows on the other side of a collection-valued navigation."""
    target, own_id = TABLES[relation.target], row[table.key]
    if relation.lookup:
        return [
            other
            for other in view.all(target.logical)
            if isinstance(other.get(relation.lookup), Ref) and other[relation.lookup].id == own_id
        ]
    pairs = [pair for pair in view.all(relation.between) if pair[relation.near] == own_id]
    found = (view.get(target.logical, pair[relation.far]) for pair in pairs)
    return [other for other in found if other is not None]


def _expanded(table: Table, row: Row, view: View, expansion: Expansion, how: Shape) -> Any:
    relation = table.relations.get(expansion.name)
    if relation is not None:
        target = TABLES[relation.target]
        inner = shape(target, expansion.options, annotations=how.annotations)
        rows = related(table, row, view, relation)
        return [shown(target, other, view, inner) for other in rows]
    found = lookup_named(table, expansion.name)
    if found is None:
        raise Fault(
            400,
            BAD_QUERY,
            f"Could not find a property named '{expansion.name}' on type "
            f"'Microsoft.Dynamics.CRM.{table.logical}'.",
        )
    value: Ref | None = row.get(found[0].name)
    if value is None or value.table not in TABLES or found[1] not in (None, value.table):
        return None
    other: Row | None = view.get(value.table, value.id)
    target = TABLES[value.table]
    inner = shape(target, expansion.options, annotations=how.annotations)
    return shown(target, other, view, inner) if other else None


def resolver(table: Table, row: Row, view: View) -> Resolve:
    """Return how a filter's paths find their values in a row."""

    def get(path: str) -> Any:
        head, _, rest = path.partition("/")
        if not rest and head in table.relations:
            others = related(table, row, view, table.relations[head])
            far = TABLES[table.relations[head].target]
            return [_flat(far, other) for other in others]
        if not rest:
            column = column_of(table, head)
            value = row.get(column.name)
            return value.id if isinstance(value, Ref) else value
        found = lookup_named(table, head)
        if found is None:
            column_of(table, head)
            raise Fault(400, BAD_QUERY, f"The path '{path}' cannot be followed.")
        target: Ref | None = row.get(found[0].name)
        other = view.get(target.table, target.id) if target is not None else None
        if target is None or other is None or found[1] not in (None, target.table):
            return None
        return resolver(TABLES[target.table], other, view)(rest)

    return get


def _flat(table: Table, row: Row) -> dict[str, Any]:
    return {property_name(c): plain(c, row.get(c.name)) for c in table.columns.values()}


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a collection."""

    rows: list[Row]
    count: int
    next_token: str | None


def page(
    table: Table, rows: list[Row], view: View, options: Mapping[str, str], *, size: int | None
) -> Page:
    """Return the page that the options ask for. Raises Fault."""
    if unknown := {name for name in options if name.startswith("$")} - KNOWN_OPTIONS:
        name = sorted(unknown)[0]
        raise Fault(400, BAD_QUERY, f"The query parameter {name} is not supported.")
    try:
        if text := options.get("$filter"):
            predicate = parse_filter(text)
            rows = [row for row in rows if predicate(resolver(table, row, view))]
        rows = _ordered(table, rows, options.get("$orderby", ""))
    except QueryRefused as error:
        raise Fault(400, BAD_QUERY, str(error)) from error
    count = len(rows)
    if top := options.get("$top"):
        rows = rows[: _whole("$top", top)]
        size = None
    limit = min(size or LARGEST_PAGE, LARGEST_PAGE)
    start = _read_token(options.get("$skiptoken"))
    more = start + limit < len(rows)
    token = _write_token(start + limit) if more else None
    return Page(rows[start : start + limit], count, token)


def _ordered(table: Table, rows: list[Row], text: str) -> list[Row]:
    for part in reversed(split_outside(text, ",")):
        name, _, direction = part.partition(" ")
        column = column_of(table, name)
        rows = sorted(
            rows,
            key=lambda row, column=column: sort_key(plain(column, row.get(column.name))),  # type: ignore[misc]
            reverse=direction.strip().lower() == "desc",
        )
    return rows


def _whole(name: str, text: str) -> int:
    if not text.isdigit():
        raise Fault(400, BAD_QUERY, f"The value '{text}' of {name} is not a whole number.")
    return int(text)


def _write_token(start: int) -> str:
    return base64.urlsafe_b64encode(json.dumps({"start": start}).encode()).decode()


def _read_token(token: str | None) -> int:
    if token is None:
        return 0
    try:
        return int(json.loads(base64.urlsafe_b64decode(token))["start"])
    except (ValueError, KeyError, TypeError) as error:
        raise Fault(400, BAD_QUERY, "The paging cookie is malformed.") from error


def next_link(base: str, entity_set: str, options: Mapping[str, str], token: str) -> str:
    """Return the link to the next page: the same query from where this page ended."""
    query = {**options, "$skiptoken": token}
    return f"{base}/{entity_set}?{urlencode(query, safe='$')}"
