"""The ParentContexts above a delivery: what the callers of the same transaction really sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from guard.columns.table import TABLES, GuardedTable
from guard.errors import DeliveryUnreadable
from guard.receive.context import (
    Context,
    decode_context,
    tag_in,
    text_of,
)
from guard.receive.delivery import Delivery, decode_target
from guard.receive.values import ValueNotReadable, guid_from
from rules.model.change import Value

MOST_ANCESTORS = 5
_NULL = b"null"


@dataclass(frozen=True, slots=True)
class Ancestor:
    """One ParentContext: the row it is about, as sent, and the tag it carries."""

    table: str
    message: str
    record_id: str | None
    target: Mapping[str, Value]
    tag: str | None


def ancestors_of(delivery: Delivery) -> tuple[Ancestor, ...]:
    """Return the readable ancestors, the nearest first; what can't be read ends the chain."""
    found: list[Ancestor] = []
    raw = bytes(delivery.parent)
    while raw and raw != _NULL and len(found) < MOST_ANCESTORS:
        try:
            context = decode_context(raw)
            found.append(_ancestor(context))
        except (DeliveryUnreadable, ValueNotReadable):
            break
        raw = bytes(context.parent_context)
    return tuple(found)


def _ancestor(context: Context) -> Ancestor:
    name = (text_of(context.primary_entity_name) or "").lower()
    table = TABLES.get(name)
    target: Mapping[str, Value] = {}
    record_id = guid_from(text_of(context.primary_entity_id))
    if table is not None:
        target, entity_id = _target_of(context, table)
        record_id = record_id or entity_id
    return Ancestor(
        table=name,
        message=text_of(context.message_name) or "",
        record_id=record_id,
        target=target,
        tag=tag_in(context.shared_variables),
    )


def _target_of(context: Context, table: GuardedTable) -> tuple[Mapping[str, Value], str | None]:
    for pair in context.input_parameters or ():
        if pair.key == "Target":
            entity = decode_target(msgspec.Raw(pair.value), table)
            if entity is not None:
                named, columns = entity
                return columns, guid_from(text_of(named)) or guid_from(columns.get(table.key))
    return {}, None
