"""One webhook POST as received: the ids, the row as sent, the row before, and what is unreadable.

A delivery of a table or message that isn't guarded is read no further than its names.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Literal

import msgspec
from msgspec import UNSET

from guard.columns.table import MESSAGES, MOST_TEXT, ON_BEHALF_BY, TABLES, GuardedTable
from guard.errors import DeliveryUnreadable, TextTooLong
from guard.receive.context import (
    EMPTY,
    NOBODY_REGISTERED,
    Context,
    Identity,
    Pair,
    Text,
    WireEntity,
    decode_context,
    decode_entity,
    decode_images,
    decode_value,
    tag_in,
    text_of,
)
from guard.receive.fast_path import fast_columns, fast_entity, fast_images
from guard.receive.lengths import is_too_long
from guard.receive.specialised import SPECIALISED, counts, specialised_change
from guard.receive.values import (
    RowReference,
    ValueNotReadable,
    date_from,
    decoded_value,
    guarded_value,
    guid_from,
    is_no_guid,
)
from rules.model.change import Value

SYNCHRONOUS = 0
ASYNCHRONOUS = 1
KEY_DIGITS = 40
_NAME = re.compile(r"[A-Za-z0-9_]{1,128}\Z")
_NOTHING: Mapping[str, Value] = MappingProxyType({})

Asked = Callable[[str], frozenset[str] | None]


def everything(table: str) -> None:
    """Ask about every column."""


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One delivery.

    `target` and `before` hold columns by their flat names (a lookup is `<column>.id` and
    `<column>.type`); `before` is None when no pre-image came. `problem` says why a guarded
    delivery can't be decided from itself; `key` is None when nothing tells this delivery from the
    next identical edit (no operation id).
    """

    table: str
    message: str
    operation: Literal["create", "update"] | None
    record_id: str | None
    mode: int
    stage: int
    depth: int
    organization_id: str | None
    operation_id: str | None
    request_id: str | None
    correlation_id: str | None
    initiating_user_id: str | None
    user_agent: str | None
    created_on: str | None
    target: Mapping[str, Value] = msgspec.field(default_factory=lambda: _NOTHING)
    before: Mapping[str, Value] | None = None
    stripped: bool = False
    problem: str | None = None
    key: str | None = None
    # Read when asked for, as few have anything to say; they keep the body alive.
    parent: msgspec.Raw = EMPTY
    shared: msgspec.Raw = EMPTY

    @property
    def tag(self) -> str | None:
        """Return the tag that the request carried: the guard's own writes have one."""
        return tag_in(self.shared)

    @property
    def on_behalf_by(self) -> str | None:
        """Return who made the change in the name of the initiating user, if somebody else did."""
        for column in ON_BEHALF_BY:
            found = self.target.get(f"{column}.id")
            if isinstance(found, str) and found and found != self.initiating_user_id:
                return found
        return None

    @property
    def created_at(self) -> datetime | None:
        """Return when the operation was made, None where that can't be read."""
        if self.created_on is None:
            return None
        try:
            return date_from(self.created_on, skewed=self.mode == ASYNCHRONOUS)
        except ValueNotReadable:
            return None

    @property
    def is_guarded(self) -> bool:
        """Return whether it is the guard's business: an operation on a guarded table."""
        return self.operation is not None and self.table in TABLES

    @property
    def is_synchronous(self) -> bool:
        """Return whether the change still waits for the answer; what isn't mode 1 does."""
        return self.mode != ASYNCHRONOUS


_SPELT = {message.lower(): message for message in (*MESSAGES, *SPECIALISED)}


def read_delivery(
    body: bytes, *, size_exceeded: bool = False, asked: Asked = everything
) -> Delivery:
    """Return the delivery in a body.

    `size_exceeded` says that the header x-ms-dynamics-msg-size-exceeded was there. `asked` returns
    the columns of a table, by their logical and flat names, that anybody asks about: of the row
    before no others are read, but those that are sent; None for all.
    Raises DeliveryUnreadable when the body is no RemoteExecutionContext.
    """
    context = decode_context(body)
    table = _name_of(text_of(context.primary_entity_name), "PrimaryEntityName").lower()
    message = _name_of(text_of(context.message_name), "MessageName")
    # A name in another case is no way around the guard.
    message = _SPELT.get(message.lower(), message)
    if counts(context, table, message):
        _check_identities(context)
        parts = _specialised_parts(context, TABLES[table], message, asked=asked)
        return _delivery(context, table, message, parts, operation="update")
    guarded = TABLES.get(table) if message in MESSAGES else None
    if guarded is None:
        return _delivery(context, table, message, _Parts())
    _check_identities(context)
    parts = _parts_of(context, guarded, message, size_exceeded=size_exceeded, asked=asked)
    return _delivery(context, table, message, parts)


@dataclass(slots=True)
class _Parts:
    """What the properties that can be stripped hold."""

    record_id: str | None = None
    target: Mapping[str, Value] = field(default_factory=lambda: _NOTHING)
    before: Mapping[str, Value] | None = None
    stripped: bool = False
    problem: str | None = None
    key: str | None = None


def _name_of(text: str | None, what: str) -> str:
    if text is None or _NAME.match(text) is None:
        raise DeliveryUnreadable(
            f"The body is not a readable RemoteExecutionContext: {what} is missing or no name.",
            hint="Post the context as Dataverse sends it.",
        )
    return text


def _parts_of(
    context: Context, table: GuardedTable, message: str, *, size_exceeded: bool, asked: Asked
) -> _Parts:
    if size_exceeded or context.input_parameters is None:
        return _Parts(stripped=True, key=_key_of(context, table.name, message, b""))
    parts = _Parts()
    raw = _value_of(context.input_parameters, "Target")
    if sum(pair.key == "Target" for pair in context.input_parameters) > 1:
        parts.problem = "InputParameters names Target twice"
        return parts
    try:
        entity = decode_target(raw, table) if raw else None
        if entity is None:
            parts.problem = "InputParameters has no Target"
            return parts
        entity_id, parts.target = entity
        parts.record_id = _record_id_of(context, entity_id, parts.target.get(table.key))
        parts.before = _before_of(context, table, message, _kept(asked(table.name), parts.target))
        parts.key = _key_of(context, table.name, message, raw)
    except TextTooLong:
        raise
    except (DeliveryUnreadable, ValueNotReadable) as error:
        parts.problem = str(error)
    if parts.record_id is None and message == "Update":
        parts.problem = parts.problem or "no record is named"
    return parts


def _specialised_parts(
    context: Context, table: GuardedTable, message: str, *, asked: Asked
) -> _Parts:
    if context.input_parameters is None:
        return _Parts(stripped=True, key=_key_of(context, table.name, message, b""))
    parts = _Parts()
    try:
        record_id, parts.target, raw = specialised_change(context, table, message)
        parts.record_id = guid_from(text_of(context.primary_entity_id)) or record_id
        parts.before = _merged_images(context, table, _kept(asked(table.name), parts.target))
        parts.key = _key_of(context, table.name, message, raw)
    except TextTooLong:
        raise
    except (DeliveryUnreadable, ValueNotReadable) as error:
        parts.problem = str(error)
    return parts


def _kept(asked: frozenset[str] | None, target: Mapping[str, Value]) -> frozenset[str] | None:
    """Return which columns of the row before are read: presence is not change (law 4)."""
    if asked is None or target.keys() <= asked:
        return asked
    return asked.union([name.split(".", 1)[0] for name in target])


def _before_of(
    context: Context, table: GuardedTable, message: str, kept: Collection[str] | None
) -> Mapping[str, Value] | None:
    """Return the pre-image, whatever its alias; None when none came."""
    if message != "Update":
        return None
    usual = fast_images(context.pre_entity_images)
    if usual is not None and len(usual) == 1:
        image = usual[0]
        if image.value is not None and image.key.lower() != NOBODY_REGISTERED:
            columns = fast_columns(image.value, table, asked=kept)
            if columns is not None:
                return columns
    return _merged_images(context, table, kept)


def _merged_images(
    context: Context, table: GuardedTable, kept: Collection[str] | None
) -> Mapping[str, Value] | None:
    merged: dict[str, Value] | None = None
    for image in decode_images(context.pre_entity_images):
        if image.value is None or image.key.lower() == NOBODY_REGISTERED:
            continue
        merged = {**(merged or {}), **columns_of(image.value, table, asked=kept)}
    return merged


def decode_target(raw: msgspec.Raw, table: GuardedTable) -> tuple[Text, dict[str, Value]] | None:
    """Return the id that an entity names and its columns by their flat names, None for null.

    Raises DeliveryUnreadable and ValueNotReadable as `columns_of`.
    """
    usual = fast_entity(raw)
    if usual is not None:
        columns = fast_columns(usual, table)
        if columns is not None:
            return usual.id, columns
    entity = decode_entity(raw)
    return None if entity is None else (entity.id, columns_of(entity, table))


def columns_of(
    entity: WireEntity, table: GuardedTable, *, asked: Collection[str] | None = None
) -> dict[str, Value]:
    """Return the columns of an entity by their flat names, with `asked` as `fast_columns` does.

    A column that isn't guarded and can't be read, or is too long, is left out. Raises
    ValueNotReadable and TextTooLong for a guarded one, and the former for a column that is named
    twice.
    """
    columns: dict[str, Value] = {}
    seen: set[str] = set()
    for attribute in entity.attributes or ():
        name = attribute.key.lower()
        if name in seen:
            raise ValueNotReadable(f"the column {name[:60]} is named twice")
        seen.add(name)
        kind = table.columns.get(name) or ON_BEHALF_BY.get(name)
        if kind is None and asked is not None and name not in asked:
            continue
        try:
            if kind is None:
                value = decoded_value(attribute.value)
            else:
                value = guarded_value(attribute.value, kind=kind)
            if isinstance(value, str) and is_too_long(table, name, value):
                # Nothing asks what a column that isn't guarded holds beyond that.
                continue
        except ValueNotReadable as error:
            if kind is None:
                continue
            raise ValueNotReadable(f"{name} can't be read: {error}") from error
        if isinstance(value, RowReference):
            columns[f"{name}.id"] = value.id
            columns[f"{name}.type"] = value.table
        elif kind == "lookup":
            columns[f"{name}.id"] = columns[f"{name}.type"] = None
        else:
            columns[name] = value
    return columns


def _record_id_of(context: Context, entity_id: Text, key: Value) -> str | None:
    """Return the row's id; PrimaryEntityId may be zeros on Create before the main operation."""
    return (
        guid_from(text_of(context.primary_entity_id))
        or guid_from(text_of(entity_id))
        or guid_from(key)
        or guid_from(decode_value(_value_of(context.output_parameters, "id")))
    )


def _value_of(pairs: list[Pair] | None, key: str) -> msgspec.Raw:
    for pair in pairs or ():
        if pair.key == key:
            return pair.value
    return msgspec.Raw()


def _key_of(context: Context, table: str, message: str, target: bytes) -> str | None:
    """Digest what makes two deliveries identical (docs/answers.md); correlation ids don't count."""
    operation = guid_from(text_of(context.operation_id))
    if operation is None:
        return None
    step = context.owning_extension
    digest = hashlib.sha256(
        "\x1f".join(
            (
                text_of(context.organization_id) or "",
                operation,
                (text_of(step.id) if step is not None else "") or "",
                str(context.stage),
                str(context.mode),
                message,
                table,
                text_of(context.primary_entity_id) or "",
            )
        ).encode("utf-8", "surrogatepass")
    )
    for part in (target, context.pre_entity_images, context.post_entity_images):
        digest.update(b"\x1f%d\x1f" % len(part))
        digest.update(part)
    return digest.hexdigest()[:KEY_DIGITS]


def _delivery(
    context: Context,
    table: str,
    message: str,
    parts: _Parts,
    *,
    operation: Literal["create", "update"] | None = None,
) -> Delivery:
    mode = ASYNCHRONOUS if context.mode == ASYNCHRONOUS else SYNCHRONOUS
    return Delivery(
        table=table,
        message=message,
        operation=operation or MESSAGES.get(message),
        record_id=parts.record_id or _id(context.primary_entity_id),
        mode=mode,
        stage=context.stage if context.stage is not None else (40 if mode else 20),
        depth=context.depth or 1,
        organization_id=_id(context.organization_id),
        operation_id=_id(context.operation_id),
        request_id=_id(context.request_id),
        correlation_id=_id(context.correlation_id),
        initiating_user_id=_id(context.initiating_user_id),
        user_agent=(text_of(context.initiating_user_agent) or "")[:MOST_TEXT] or None,
        created_on=text_of(context.operation_created_on) or None,
        target=parts.target,
        before=parts.before,
        stripped=parts.stripped,
        problem=parts.problem,
        key=parts.key,
        parent=context.parent_context,
        shared=context.shared_variables,
    )


def _check_identities(context: Context) -> None:
    """Refuse a guarded delivery that names somebody, and yet nobody (law 3).

    Raises DeliveryUnreadable. A row that is being created may have zeros for its id.
    """
    person, organization, row = (
        context.initiating_user_id,
        context.organization_id,
        context.primary_entity_id,
    )
    if _id(person) and _id(organization) and _id(row):
        return
    for name, value, may_be_zeros in (
        ("InitiatingUserId", person, False),
        ("OrganizationId", organization, False),
        ("PrimaryEntityId", row, True),
    ):
        if value is UNSET or guid_from(text_of(value)) is not None:
            continue
        if not may_be_zeros or not is_no_guid(text_of(value)):
            raise DeliveryUnreadable(
                f"The body is not a readable RemoteExecutionContext: {name} is no GUID.",
                hint="Post the context as Dataverse sends it.",
            )


def _id(value: Identity) -> str | None:
    return guid_from(text_of(value))
