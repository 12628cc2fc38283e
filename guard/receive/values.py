"""Column values on the wire become plain values.

A value that cannot be understood raises ValueNotReadable; the caller knows whether the column
matters. Source: the DataContractJsonSerializer's forms of the Dataverse SDK types.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, TypeAlias

from guard.columns.table import Kind
from rules.model.change import Value

MAX_DEPTH = 4
_DATE = re.compile(r"/Date\((-?\d{1,17})(?:([+-])(\d{2})(\d{2}))?\)/\Z")
_GUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\Z")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LONGEST_GUID = 64
NO_GUID = "00000000-0000-0000-0000-000000000000"


class ValueNotReadable(ValueError):
    """A value has no form that the reference names."""


@dataclass(frozen=True, slots=True)
class RowReference:
    """A lookup's value: the row and its table."""

    id: str
    table: str | None


Decoded: TypeAlias = "Value | RowReference"


def guid_from(text: object) -> str | None:
    """Return a GUID in lower case without braces; None when it is empty, zeros or no GUID."""
    if not isinstance(text, str):
        return None
    # The same few ids come again and again; only texts of a bounded length are remembered.
    return _known_guid(text) if len(text) <= _LONGEST_GUID else None


def is_no_guid(text: str | None) -> bool:
    """Return whether a text is the GUID of zeros, which names nothing."""
    return text is not None and text.strip("{}") == NO_GUID


@lru_cache(maxsize=4096)
def _known_guid(text: str) -> str | None:
    text = text.strip("{}")
    if _GUID.match(text) is None:
        return None
    text = text.lower()
    return None if text == NO_GUID else text


def date_from(text: str, *, skewed: bool = False) -> datetime | None:
    """Return the moment that `/Date(ms±hhmm)/` names, None when the text has not this form.

    The offset is decoration, except in OperationCreatedOn of asynchronous deliveries (`skewed`),
    where the true moment is ms + offset, as captured deliveries show. Raises ValueNotReadable
    beyond the years 1 to 9999.
    """
    found = _DATE.match(text)
    if found is None:
        return None
    offset = timedelta()
    if skewed and found[2]:
        offset = timedelta(hours=int(found[3]), minutes=int(found[4]))
        if found[2] == "-":
            offset = -offset
    try:
        return _EPOCH + timedelta(milliseconds=int(found[1])) + offset
    except OverflowError as error:
        raise ValueNotReadable(f"{text[:40]} is no date") from error


def _type_of(value: Mapping[str, Any]) -> str:
    kind = value.get("__type")
    return kind.split(":", 1)[0] if isinstance(kind, str) else ""


def _reference_from(value: Mapping[str, Any], depth: int) -> RowReference | None:
    identity = decoded_value(value.get("Id"), depth=depth)
    if identity is None:
        return None
    table = value.get("LogicalName")
    if not isinstance(identity, str):
        raise ValueNotReadable("an EntityReference's Id is not a GUID")
    return RowReference(
        identity.strip("{}").lower(), table.lower() if isinstance(table, str) else None
    )


def _object_value(value: Mapping[str, Any], depth: int) -> Decoded:
    kind = _type_of(value)
    if "__value" in value:
        inner = decoded_value(value["__value"], depth=depth)
        return inner.strip("{}").lower() if kind == "Guid" and isinstance(inner, str) else inner
    if kind == "EntityReference" or (not kind and "LogicalName" in value and "Id" in value):
        return _reference_from(value, depth)
    if kind == "EntityCollection" or "Entities" in value:
        return _collection_value(value, depth)
    if "Value" in value:  # OptionSetValue, Money, BooleanManagedProperty
        return decoded_value(value["Value"], depth=depth)
    raise ValueNotReadable(f"a value of the unknown type {kind[:60] or '(none)'}")


def _collection_value(value: Mapping[str, Any], depth: int) -> Value:
    """A party list is the tuple of its rows' ids; only their number and identity can matter."""
    entities = value.get("Entities")
    if entities is None:
        return ()
    if not isinstance(entities, list):
        raise ValueNotReadable("an EntityCollection without a list of Entities")
    return tuple(
        guid_from(decoded_value(row.get("Id"), depth=depth)) if isinstance(row, dict) else None
        for row in entities
    )


def decoded_value(value: Any, *, depth: int = 0) -> Decoded:
    """Return the plain value: wrappers off, dates aware, choices as numbers.

    Shape: an EntityReference becomes a RowReference, several choices a tuple.
    Raises ValueNotReadable.
    """
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return (date_from(value) or value) if value.startswith("/Date(") else value
    if depth >= MAX_DEPTH:
        raise ValueNotReadable("a value nested too deeply")
    if isinstance(value, dict):
        return _object_value(value, depth + 1)
    if isinstance(value, list):
        return tuple(_plain(decoded_value(item, depth=depth + 1)) for item in value)
    raise ValueNotReadable("a value that JSON does not know")


def _plain(value: Decoded) -> Value:
    return value.id if isinstance(value, RowReference) else value


def guarded_value(value: Any, *, kind: Kind) -> Decoded:
    """Return the value of a guarded column, held to its kind. Raises ValueNotReadable."""
    if kind == "string":
        if isinstance(value, dict):
            value = value.get("__value", value)
        if value is None or isinstance(value, str):
            return value
        raise ValueNotReadable("not a text")
    decoded = decoded_value(value)
    if decoded is None:
        return None
    match kind:
        case "choice":
            good = isinstance(decoded, int) and not isinstance(decoded, bool)
        case "bool":
            good = isinstance(decoded, bool)
        case "guid":
            good = isinstance(decoded, str)
            decoded = guid_from(decoded)
        case "lookup":
            good = isinstance(decoded, RowReference)
    if not good:
        raise ValueNotReadable(f"not a {kind}")
    return decoded
