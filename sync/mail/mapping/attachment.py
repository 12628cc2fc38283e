"""One attachment of a Graph message becomes one `activitymimeattachments` row."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from kernel.digest import sha256_hex
from sync.mail.mapping.keys import attachment_key
from sync.mail.mapping.text import line_of

FILE = "#microsoft.graph.fileattachment"
ITEM = "#microsoft.graph.itemattachment"
REFERENCE = "#microsoft.graph.referenceattachment"
UNKNOWN_TYPE = "application/octet-stream"
MAX_NAME, MAX_TYPE = 255, 256


def is_reference(attachment: Mapping[str, Any]) -> bool:
    """Return whether it is only a link to a file elsewhere, which has no bytes."""
    return str(attachment.get("@odata.type") or "").casefold() == REFERENCE


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


def attachment_row(
    email: UUID, attachment: Mapping[str, Any], content: bytes
) -> tuple[UUID, dict[str, Any]]:
    """Return the id and the columns of one attachment of an open email row."""
    name = name_of(attachment)
    columns = {
        "objectid_activitypointer@odata.bind": f"/activitypointers({email})",
        "objecttypecode": "email",
        "filename": name,
        "mimetype": line_of(str(attachment.get("contentType") or ""), MAX_TYPE) or UNKNOWN_TYPE,
        "body": base64.b64encode(content).decode("ascii"),
    }
    return attachment_key(email, sha256=sha256_hex(content), name=name), columns
