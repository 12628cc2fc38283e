"""Entities in the usual forms, read in one typed pass: a fifth of the time of the general way.

Whatever has another form is left to `delivery.columns_of`, whose answer this one must equal; a
property test holds them together.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

from guard.columns.table import MOST_ADDRESS, ON_BEHALF_BY, TABLES, GuardedTable, Kind
from guard.receive.context import Text
from guard.receive.lengths import is_too_long
from guard.receive.values import ValueNotReadable, date_from, guid_from
from rules.model.change import Value

_CONTRACTS = "http://schemas.microsoft.com/xrm/2011/Contracts"
_CHOICE: Final = f"OptionSetValue:{_CONTRACTS}"
_REFERENCE: Final = f"EntityReference:{_CONTRACTS}"
_GUID_LENGTH = 36


class _Choice(msgspec.Struct, gc=False, rename="pascal", tag_field="__type", tag=_CHOICE):
    value: int
    # What may not be there makes it another form.
    wrapped: UnsetType = msgspec.field(default=UNSET, name="__value")
    entities: UnsetType = UNSET


class _Reference(msgspec.Struct, gc=False, rename="pascal", tag_field="__type", tag=_REFERENCE):
    id: str
    logical_name: str | None = None
    wrapped: UnsetType = msgspec.field(default=UNSET, name="__value")
    entities: UnsetType = UNSET


class _Attribute(msgspec.Struct, gc=False):
    key: str
    value: bool | int | float | str | _Choice | _Reference | None = None


class FastEntity(msgspec.Struct, gc=False, rename="pascal"):
    """A row, or the part of one that was sent, in the usual forms."""

    attributes: list[_Attribute] | None = None
    id: Text = None
    logical_name: Text = None


class FastImage(msgspec.Struct, gc=False):
    """An image under the alias that its step chose."""

    key: str
    value: FastEntity | None = None


_entity: msgspec.json.Decoder[FastEntity | None] = msgspec.json.Decoder(FastEntity | None)
_images: msgspec.json.Decoder[list[FastImage] | None] = msgspec.json.Decoder(list[FastImage] | None)

_NONE: Final = type(None)
# The forms that a column's value may have here; a text among others is looked at more closely.
_FORMS: Mapping[Kind, frozenset[type]] = {
    "string": frozenset({_NONE, str}),
    "choice": frozenset({_NONE, int, _Choice}),
    "bool": frozenset({_NONE, bool}),
    "guid": frozenset({_NONE}),
    "lookup": frozenset({_Reference}),
}
_UNGUARDED: Final = frozenset({_NONE, bool, int, float, _Choice, _Reference})
_GUARDED: Mapping[str, Mapping[str, frozenset[type]]] = MappingProxyType(
    {
        table.name: {name: _FORMS[kind] for name, kind in {**ON_BEHALF_BY, **table.columns}.items()}
        for table in TABLES.values()
    }
)


def fast_entity(raw: msgspec.Raw) -> FastEntity | None:
    """Return the entity in these bytes, None when it has another form."""
    try:
        return _entity.decode(raw)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def fast_images(raw: msgspec.Raw) -> list[FastImage] | None:
    """Return the images in these bytes, None when one has another form."""
    try:
        return _images.decode(raw)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def fast_columns(
    entity: FastEntity, table: GuardedTable, *, asked: Collection[str] | None = None
) -> dict[str, Value] | None:
    """Return the columns by their flat names, None when one has another form.

    With `asked` only those that are guarded or among them; what else there is has any form.
    """
    attributes = entity.attributes or ()
    names = [attribute.key for attribute in attributes]
    together = "".join(names)
    # Dataverse spells columns in lower case, and names none twice: else it is no usual form.
    if len(set(names)) != len(names) or together != together.lower():
        return None
    guarded = _GUARDED[table.name]
    columns: dict[str, Value] = {}
    for name, attribute in zip(names, attributes, strict=True):
        forms = guarded.get(name)
        if forms is None:
            if asked is not None and name not in asked:
                continue
            forms = _UNGUARDED
        value = attribute.value
        form = value.__class__
        if form is str and len(value) > MOST_ADDRESS and is_too_long(table, name, value):  # type: ignore[arg-type]
            return None
        if form not in forms:
            if value is None:
                columns[f"{name}.id"] = columns[f"{name}.type"] = None
            elif not _put_text(columns, name, value, _kind_of(table, name)):
                return None
        elif form is _Choice:
            columns[name] = value.value  # type: ignore[union-attr]
        elif form is _Reference:
            if not _put_reference(columns, name, value):  # type: ignore[arg-type]
                return None
        else:
            columns[name] = value  # type: ignore[assignment]
    return columns


def _kind_of(table: GuardedTable, name: str) -> Kind | None:
    return table.columns.get(name) or ON_BEHALF_BY.get(name)


def _put_reference(columns: dict[str, Value], name: str, value: _Reference) -> bool:
    identity, table = value.id, value.logical_name
    if len(identity) != _GUID_LENGTH or identity[0] == "/":
        return False
    columns[f"{name}.id"] = identity.strip("{}").lower()
    columns[f"{name}.type"] = None if table is None else table.lower()
    return True


def _put_text(columns: dict[str, Value], name: str, value: object, kind: Kind | None) -> bool:
    """Put in a text that isn't a text column's; nothing else that comes here has a usual form."""
    if not isinstance(value, str) or kind not in (None, "guid"):
        return False
    if not value.startswith("/Date("):
        columns[name] = value if kind is None else guid_from(value)
    elif kind is not None:
        return False
    else:
        try:
            columns[name] = date_from(value) or value
        except ValueNotReadable:
            return False
    return True
