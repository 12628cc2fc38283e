"""The RemoteExecutionContext on the wire: the parts that a decision needs, decoded and no more.

Unknown properties are skipped, absent ones are None. What this module must not do: give meaning
to values (that is `values`). Source: Microsoft's page on webhooks, and captured deliveries.
"""

from __future__ import annotations

from typing import Any

import msgspec

from guard.errors import DeliveryUnreadable
from kernel.reading import why_unreadable

EMPTY = msgspec.Raw()
BOM = b"\xef\xbb\xbf"


class Wrapped(msgspec.Struct):
    """A scalar in its wrapper: `{"__type": "Guid:#System", "__value": …}`."""

    value: str | None = msgspec.field(default=None, name="__value")


Text = str | Wrapped | None
# Of whom, what and where: a property that is absent is another matter than one that says nothing.
Identity = str | Wrapped | None | msgspec.UnsetType


class Pair(msgspec.Struct):
    """One entry of a key/value array whose value is decoded only when asked for."""

    key: str
    value: msgspec.Raw = EMPTY


class WireAttribute(msgspec.Struct):
    """One column of an entity."""

    key: str
    value: Any = None


class WireEntity(msgspec.Struct, rename="pascal"):
    """A row, or the part of one that was sent."""

    attributes: list[WireAttribute] | None = None
    id: Text = None
    logical_name: Text = None


class WireImage(msgspec.Struct):
    """An image under the alias that its step chose."""

    key: str
    value: WireEntity | None = None


class WireReference(msgspec.Struct, rename="pascal"):
    """A reference to a row."""

    id: Text = None
    logical_name: Text = None


class Context(msgspec.Struct, rename="pascal"):
    """The context of one delivery."""

    message_name: Text = None
    primary_entity_name: Text = None
    primary_entity_id: Identity = msgspec.UNSET
    mode: int | None = None
    stage: int | None = None
    depth: int | None = None
    organization_id: Identity = msgspec.UNSET
    operation_id: Text = None
    request_id: Text = None
    correlation_id: Text = None
    initiating_user_id: Identity = msgspec.UNSET
    initiating_user_agent: Text = None
    operation_created_on: Text = None
    owning_extension: WireReference | None = None
    input_parameters: list[Pair] | None = None
    output_parameters: list[Pair] | None = None
    shared_variables: msgspec.Raw = EMPTY
    pre_entity_images: msgspec.Raw = EMPTY
    post_entity_images: msgspec.Raw = EMPTY
    parent_context: msgspec.Raw = EMPTY


NOBODY_REGISTERED = "asynchronousstepprimaryname"

_context = msgspec.json.Decoder(Context)
_entity: msgspec.json.Decoder[WireEntity | None] = msgspec.json.Decoder(WireEntity | None)
_images = msgspec.json.Decoder(list[WireImage] | None)
_pairs = msgspec.json.Decoder(list[Pair] | None)
_any = msgspec.json.Decoder()

# What a decoder raises on hostile bytes: broken JSON and wrong types, bad UTF-8, nesting deeper
# than the interpreter's limit.
_BROKEN = (msgspec.MsgspecError, ValueError, RecursionError)


def _why(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    return why_unreadable(error)[:200]


def decode_context(body: bytes) -> Context:
    """Return the context in the body.

    Raises DeliveryUnreadable when the bytes are not a JSON object of that shape.
    """
    if body.startswith(BOM):
        body = body[len(BOM) :]
    try:
        return _context.decode(body)
    except _BROKEN as error:
        raise DeliveryUnreadable(
            f"The body is not a readable RemoteExecutionContext: {_why(error)}.",
            hint="Register the step's endpoint with contract 8 (webhook), message format JSON.",
        ) from error


def decode_entity(raw: msgspec.Raw) -> WireEntity | None:
    """Return the entity in these bytes, None for null. Raises DeliveryUnreadable."""
    try:
        return _entity.decode(raw)
    except _BROKEN as error:
        raise DeliveryUnreadable(f"Target is not an entity: {_why(error)}") from error


def decode_images(raw: msgspec.Raw) -> list[WireImage]:
    """Return the images in these bytes, none for null or absent. Raises DeliveryUnreadable."""
    if not raw:
        return []
    try:
        return _images.decode(raw) or []
    except _BROKEN as error:
        raise DeliveryUnreadable(f"The images are not readable: {_why(error)}") from error


def decode_value(raw: msgspec.Raw) -> Any:
    """Return whatever JSON value is in these bytes. Raises DeliveryUnreadable."""
    if not raw:
        return None
    try:
        return _any.decode(raw)
    except _BROKEN as error:
        raise DeliveryUnreadable(f"A parameter is not readable: {_why(error)}") from error


def tag_in(shared_variables: msgspec.Raw) -> str | None:
    """Return the tag of a request, None when there is none that can be read.

    Other plug-ins may have left any number of variables, in any form.
    """
    if not shared_variables:
        return None
    try:
        for pair in _pairs.decode(shared_variables) or ():
            if pair.key == "tag":
                value = _any.decode(pair.value) if pair.value else None
                return value if isinstance(value, str) else None
    except _BROKEN:
        pass
    return None


def text_of(value: Identity) -> str | None:
    """Return the text, out of its wrapper if it had one; None where there is none."""
    if isinstance(value, str):
        return value
    return value.value if isinstance(value, Wrapped) else None
