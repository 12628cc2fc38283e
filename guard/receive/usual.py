"""Entities in the usual forms, read in one typed pass: a fifth of the time of the general way.

Whatever has another form is left to `delivery.columns_of`, whose answer this one must equal; a
property test holds them together.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

from guard.columns import TABLES, GuardedTable, Kind
from guard.receive.context import Text
from guard.receive.values import ValueNotReadable, date_from, guid_from
from rules.change import Value

_CONTRACTS = "http://schemas.microsoft.com/xrm/2011/Contracts"
_CHOICE: Final = f"OptionSetValue:{_CONTRACTS}"
_REFERENCE = f"EntityReference:{_CONTRACTS}"
_GUID_LENGTH = 36


class _Typed(msgspec.Struct, gc=False, rename="pascal"):
    """A choice or a reference; the fields that may not be there make it another form."""

    type: str | None = msgspec.field(default=None, name="__type")
    value: int | UnsetType = UNSET
    id: str | UnsetType = UNSET
    logical_name: str | None = None
    wrapped: UnsetType = msgspec.field(default=UNSET, name="__value")
    entities: UnsetType = UNSET


class _Attribute(msgspec.Struct, gc=False):
    key: str
    value: bool | int | float | str | _Typed | None = None


class Usual(msgspec.Struct, gc=False, rename="pascal"):
    """A row, or the part of one that was sent, in the usual forms."""

    attributes: list[_Attribute] | None = None
    id: Text = None
    logical_name: Text = None


class UsualImage(msgspec.Struct, gc=False):
    """An image under the alias that its step chose."""

    key: str
    value: Usual | None = None


_entity: msgspec.json.Decoder[Usual | None] = msgspec.json.Decoder(Usual | None)
_images: msgspec.json.Decoder[list[UsualImage] | None] = msgspec.json.Decoder(
    list[UsualImage] | None
)

_KINDS: Mapping[str, Mapping[str, Kind]] = MappingProxyType(
    {table.name: dict(table.columns) for table in TABLES.values()}
)
# Which JSON forms are a column's value as they stand; a column that isn't guarded has no kind.
_AS_IT_STANDS = frozenset(
    {(type(None), kind) for kind in (None, "string", "choice", "bool", "guid")}
    | {(form, None) for form in (bool, int, float)}
    | {(str, "string"), (int, "choice"), (bool, "bool")}
)


def usual_entity(raw: msgspec.Raw) -> Usual | None:
    """Return the entity in these bytes, None when it has another form."""
    try:
        return _entity.decode(raw)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def usual_images(raw: msgspec.Raw) -> list[UsualImage] | None:
    """Return the images in these bytes, None when one has another form."""
    try:
        return _images.decode(raw)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def usual_columns(entity: Usual, table: GuardedTable) -> dict[str, Value] | None:
    """Return the columns by their flat names, None when one has another form."""
    kinds = _KINDS[table.name]
    columns: dict[str, Value] = {}
    attributes = entity.attributes or ()
    seen: set[str] = set()
    for attribute in attributes:
        name, value = attribute.key, attribute.value
        kind = kinds.get(name)
        if kind is None:
            name = name.lower()
            kind = kinds.get(name)
        seen.add(name)
        if (value.__class__, kind) in _AS_IT_STANDS:
            columns[name] = value  # type: ignore[assignment]
        elif value.__class__ is not _Typed:
            if not _put_text(columns, name, value, kind):
                return None
        elif value.type == _CHOICE:
            if value.value is UNSET or (kind is not None and kind != "choice"):
                return None
            columns[name] = value.value
        elif not _put_reference(columns, name, value, kind):
            return None
    # A column that is named twice is no usual form either.
    return columns if len(seen) == len(attributes) else None


def _put_reference(columns: dict[str, Value], name: str, value: _Typed, kind: Kind | None) -> bool:
    identity, table = value.id, value.logical_name
    if value.type != _REFERENCE or (kind is not None and kind != "lookup") or identity is UNSET:
        return False
    if len(identity) != _GUID_LENGTH or identity[0] == "/":
        return False
    columns[f"{name}.id"] = identity.strip("{}").lower()
    columns[f"{name}.type"] = None if table is None else table.lower()
    return True


def _put_text(columns: dict[str, Value], name: str, value: object, kind: Kind | None) -> bool:
    """Put in a text, or an emptied lookup; nothing else that comes here has a usual form."""
    if value is None:
        columns[f"{name}.id"] = columns[f"{name}.type"] = None
    elif not isinstance(value, str) or kind not in (None, "guid"):
        return False
    elif not value.startswith("/Date("):
        columns[name] = value if kind is None else guid_from(value)
    elif kind is not None:
        return False
    else:
        try:
            columns[name] = date_from(value) or value
        except ValueNotReadable:
            return False
    return True
