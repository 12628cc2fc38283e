"""Values of columns between the Web API's JSON and the rows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sandbox.dataverse.faults import (
    BAD_PROPERTY,
    BAD_QUERY,
    INVALID_CHARACTERS,
    TEXT_TOO_LONG,
    VALUE_OUT_OF_RANGE,
    Fault,
)
from sandbox.dataverse.rows import Ref, Row, View
from sandbox.dataverse.schema import Column, Table
from sandbox.dataverse.tables import SETS, TABLES
from sandbox.odata import moment

_REFERENCE = re.compile(r"(?:.*/)?(\w+)\(([0-9A-Fa-f-]{36})\)$")
_GUID = re.compile(r"^[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}$")
# What XML 1.0 can't hold, section 2.2: the platform checks every text for it.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# An e-mail is also reachable as the activity that it is.
_SET_ALIASES = {"activitypointers": "email"}

FORMATTED = "OData.Community.Display.V1.FormattedValue"
LOGICAL_NAME = "Microsoft.Dynamics.CRM.lookuplogicalname"
NAVIGATION = "Microsoft.Dynamics.CRM.associatednavigationproperty"


def etag(row: Row) -> str:
    """Return the weak tag of a row's version."""
    return f'W/"{row["versionnumber"]}"'


def display(column: Column, value: Any, view: View) -> str | None:
    """Return a value as people see it, or None where the plain value says it all."""
    if value is None:
        return None
    if column.kind == "choice":
        return column.options.get(value, str(value))
    if column.kind == "bool":
        return "Yes" if value else "No"
    if column.kind == "datetime":
        return f"{value:%m/%d/%Y %I:%M %p}"
    if column.kind == "lookup":
        return name_of(value, view)
    return None


def name_of(reference: Ref, view: View) -> str | None:
    """Return the primary name of the row that a lookup points to."""
    table = TABLES.get(reference.table)
    row = view.get(reference.table, reference.id) if table else None
    return row.get(table.name_column) if table and row else None


def plain(column: Column, value: Any) -> Any:
    """Return a stored value as JSON has it."""
    if isinstance(value, Ref):
        return value.id
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return value


def property_name(column: Column) -> str:
    """Return the name by which the Web API reads a column."""
    return f"_{column.name}_value" if column.kind == "lookup" else column.name


def column_of(table: Table, name: str) -> Column:
    """Return the column that a read name means. Raises Fault for an unknown one."""
    bare = name[1:-6] if name.startswith("_") and name.endswith("_value") else name
    column = table.columns.get(bare)
    if column is None or (bare == name) == (column.kind == "lookup"):
        raise Fault(
            400,
            BAD_QUERY,
            f"Could not find a property named '{name}' on type "
            f"'Microsoft.Dynamics.CRM.{table.logical}'.",
        )
    return column


def row_json(
    table: Table, row: Row, view: View, *, columns: list[Column], annotations: bool
) -> dict[str, Any]:
    """Return a row as the Web API shows it."""
    shown: dict[str, Any] = {"@odata.etag": etag(row)}
    for column in columns:
        if column.write_only:
            continue
        name, value = property_name(column), row.get(column.name)
        if annotations and value is not None:
            text = display(column, value, view)
            if text is not None:
                shown[f"{name}@{FORMATTED}"] = text
            if isinstance(value, Ref):
                shown[f"{name}@{LOGICAL_NAME}"] = value.table
                shown[f"{name}@{NAVIGATION}"] = navigation_of(column, value.table)
        shown[name] = plain(column, value)
    return shown


def navigation_of(column: Column, target: str) -> str:
    """Return the navigation name of a lookup: a column with several targets names each."""
    several = len(column.targets) > 1 and column.name != "ownerid"
    return f"{column.name}_{target}" if several else column.name


def lookup_named(table: Table, navigation: str) -> tuple[Column, str | None] | None:
    """Return the lookup column that a navigation name means, with its target when it names one."""
    column = table.columns.get(navigation)
    if column is not None and column.kind == "lookup":
        return column, None
    for candidate in table.columns.values():
        prefix = f"{candidate.name}_"
        if candidate.kind == "lookup" and navigation.startswith(prefix):
            return candidate, navigation.removeprefix(prefix)
    return None


def reference(text: str) -> Ref:
    """Return the row that a bind URI names. Raises Fault."""
    match = _REFERENCE.match(text.strip())
    name = match.group(1) if match else ""
    logical = SETS[name].logical if name in SETS else _SET_ALIASES.get(name)
    if match is None or logical is None:
        raise Fault(400, BAD_PROPERTY, f"The URI '{text}' does not name a record.")
    return Ref(logical, match.group(2).lower())


@dataclass(frozen=True, slots=True)
class Body:
    """What a request asks to write: columns, and rows to create beneath."""

    values: dict[str, Any]
    beneath: dict[str, list[Mapping[str, Any]]]


def read_body(table: Table, body: Mapping[str, Any]) -> Body:
    """Return the columns that a JSON body sets. Raises Fault for what cannot be written."""
    values: dict[str, Any] = {}
    beneath: dict[str, list[Mapping[str, Any]]] = {}
    for name, value in body.items():
        if name.endswith("@odata.bind"):
            column_name, bound = _bound(table, name.removesuffix("@odata.bind"), value)
            values[column_name] = bound
        elif "@" in name:
            continue
        elif name in table.relations and isinstance(value, list):
            beneath[name] = value
        else:
            column = table.columns.get(name)
            if column is None or column.kind == "lookup":
                raise _unknown(table, name)
            values[name] = stored(table, column, value)
    return Body(values, beneath)


def _unknown(table: Table, name: str) -> Fault:
    return Fault(
        400,
        BAD_PROPERTY,
        "Error identified in Payload provided by the user for Entity "
        f"'{table.entity_set}': An undeclared property '{name}' which only has property "
        "annotations in the payload but no property value was found, or the property is not "
        f"declared on type 'Microsoft.Dynamics.CRM.{table.logical}'.",
    )


def _bound(table: Table, navigation: str, value: Any) -> tuple[str, Ref | None]:
    found = lookup_named(table, navigation)
    if found is None:
        raise _unknown(table, navigation)
    column, _ = found
    if value is None:
        return column.name, None
    if not isinstance(value, str):
        raise Fault(400, BAD_PROPERTY, f"'{navigation}@odata.bind' must be the URI of a record.")
    bound = reference(value)
    if bound.table not in column.targets:
        raise Fault(
            400, BAD_PROPERTY, f"'{column.name}' cannot point to a record of '{bound.table}'."
        )
    return column.name, bound


def stored(table: Table, column: Column, value: Any) -> Any:
    """Return a JSON value as the row keeps it. Raises Fault when it does not fit the column."""
    if value is None:
        return None
    reader = _READERS.get(column.kind)
    if reader is None:
        return value
    try:
        kept: Any = reader(value)
    except (TypeError, ValueError) as error:
        raise Fault(
            400,
            BAD_PROPERTY,
            f"Cannot convert the value '{value}' of '{column.name}' to the expected type "
            f"'{column.kind}'.",
        ) from error
    if isinstance(kept, str) and _NOT_XML.search(kept):
        raise Fault(
            400,
            INVALID_CHARACTERS,
            f"The '{column.name}' contains data that is not allowed: invalid character in field.",
        )
    if column.kind == "choice" and kept not in column.options:
        raise Fault(
            400,
            VALUE_OUT_OF_RANGE,
            f"A validation error occurred. The value {kept} of '{column.name}' on record of type "
            f"'{table.logical}' is outside the valid range.",
        )
    if column.limit is not None and len(kept) > column.limit:
        raise Fault(
            400,
            TEXT_TOO_LONG,
            f"A validation error occurred. The length of the '{column.name}' attribute of the "
            f"'{table.logical}' entity exceeded the maximum allowed length of '{column.limit}'.",
        )
    return kept


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("not text")
    return value


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError("not a whole number")
    return value


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError("not a boolean")
    return value


def _guid(value: Any) -> str:
    text = _text(value).strip("{}")
    if not _GUID.match(text):
        raise ValueError("not a guid")
    return text.lower()


def _moment(value: Any) -> datetime:
    return moment(_text(value)).replace(microsecond=0)


_READERS = {
    "string": _text,
    "int": _whole,
    "bigint": _whole,
    "choice": _whole,
    "bool": _truth,
    "guid": _guid,
    "datetime": _moment,
}


def is_guid(text: str) -> bool:
    """Tell whether a key is a plain guid."""
    return bool(_GUID.match(text))
