"""One attachment of a Graph message becomes one `activitymimeattachments` row."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sync.mail.mapping.text import line_of

FILE = "#microsoft.graph.fileattachment"
ITEM = "#microsoft.graph.itemattachment"
REFERENCE = "#microsoft.graph.referenceattachment"
UNKNOWN_TYPE = "application/octet-stream"
MAX_NAME, MAX_TYPE = 255, 256
# What Exchange shows in the place of attachments that it still scans (Safe Attachments, dynamic
# delivery). Nothing but the name tells it: reports of both names, msgraph-sdk-dotnet issue 2416.
_PLACEHOLDERS = frozenset({"atp scan in progress", "safe attachments scan in progress"})


def is_reference(attachment: Mapping[str, Any]) -> bool:
    """Return whether it is only a link to a file elsewhere, which has no bytes."""
    return str(attachment.get("@odata.type") or "").casefold() == REFERENCE


def is_placeholder(attachment: Mapping[str, Any]) -> bool:
    """Return whether it stands for attachments that the service has not let through yet."""
    name = str(attachment.get("name") or "").strip().casefold()
    return name.removesuffix(".eml") in _PLACEHOLDERS


def bytes_in(attachment: Mapping[str, Any]) -> bytes | None:
    """Return the bytes that came with the attachment, or None when they must be read apart."""
    content = attachment.get("contentBytes")
    if not isinstance(content, str):
        return None
    try:
        return base64.b64decode(content, validate=True)
    except (binascii.Error, ValueError):
        return None


def name_of(attachment: Mapping[str, Any]) -> str:
    """Return the file name; an attached item is a message file."""
    name = line_of(str(attachment.get("name") or ""), MAX_NAME) or "attachment"
    is_item = str(attachment.get("@odata.type") or "").casefold() == ITEM
    if is_item and not name.casefold().endswith(".eml"):
        name = f"{line_of(name, MAX_NAME - 4)}.eml"
    return name


def attachment_row(email: UUID, attachment: Mapping[str, Any], content: bytes) -> dict[str, Any]:
    """Return the columns of one attachment of an open email row."""
    return {
        "objectid_activitypointer@odata.bind": f"/activitypointers({email})",
        "objecttypecode": "email",
        "filename": name_of(attachment),
        "mimetype": line_of(str(attachment.get("contentType") or ""), MAX_TYPE) or UNKNOWN_TYPE,
        "body": base64.b64encode(content).decode("ascii"),
    }
