"""Assign and SetState: messages that change one column, and say so without an entity.

They count where our own step has sent them, which brings a pre-image. Without one they have the
answer of a message that isn't guarded, since an Update follows. Source: dataverse.md section 2.3,
by what is known of the platform: there is no public capture of either.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from guard.columns.table import TABLES, GuardedTable
from guard.receive.context import NOBODY_REGISTERED, Context, decode_images, decode_value
from guard.receive.values import RowReference, ValueNotReadable, guarded_value
from rules.model.change import Value

SPECIALISED: Mapping[str, str] = MappingProxyType({"Assign": "Target", "SetState": "EntityMoniker"})
"""Each with the parameter that names the row."""
_DISABLED = 1


def counts(context: Context, table: str, message: str) -> bool:
    """Return whether a delivery is one of these and brings an image of a guarded row.

    Raises DeliveryUnreadable when its images can't be read.
    """
    return (
        message in SPECIALISED
        and table in TABLES
        and any(
            image.value is not None and image.key.lower() != NOBODY_REGISTERED
            for image in decode_images(context.pre_entity_images)
        )
    )


def specialised_change(
    context: Context, table: GuardedTable, message: str
) -> tuple[str | None, dict[str, Value], bytes]:
    """Return the row's id, the guarded columns that change, and the bytes that say so.

    A column that isn't guarded on the table changes nothing. Raises ValueNotReadable when the
    parameters are not those of the message, or one of them comes twice.
    """
    row = _parameter(context, SPECIALISED[message])
    named = guarded_value(decode_value(row), kind="lookup")
    record_id = named.id if isinstance(named, RowReference) else None
    if message == "Assign":
        raw = _parameter(context, "Assignee")
        owner = guarded_value(decode_value(raw), kind="lookup")
        if not isinstance(owner, RowReference):
            raise ValueNotReadable("Assign names no Assignee")
        columns: dict[str, Value] = {"ownerid.id": owner.id, "ownerid.type": owner.table}
        is_guarded = "ownerid" in table.columns
        return record_id, columns if is_guarded else {}, bytes(row) + bytes(raw)
    raw = _parameter(context, "State")
    state = guarded_value(decode_value(raw), kind="choice")
    if not isinstance(state, int):
        raise ValueNotReadable("SetState names no State")
    columns = {"statecode": state, "isdisabled": state == _DISABLED}
    kept = {name: value for name, value in columns.items() if name in table.columns}
    return record_id, kept, bytes(row) + bytes(raw)


def _parameter(context: Context, key: str) -> msgspec.Raw:
    found = [pair.value for pair in context.input_parameters or () if pair.key == key]
    if len(found) != 1:
        raise ValueNotReadable(f"InputParameters has {len(found)} values named {key}")
    return found[0]
