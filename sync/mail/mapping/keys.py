"""Keys of rows, computed from what they hold, so that the same mail has the same row everywhere.

The organisation's id is the namespace: two organisations never share a key.
A key made from the mail itself makes the second create the same create.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid5

from kernel.digest import digest_of
from sync.mail.item import address_of


def normalised_message_id(text: str | None) -> str:
    """Return a Message-ID without angle brackets and blanks; empty when there is none.

    Its case is kept: RFC 5322 compares Message-IDs as they are.
    """
    return "".join((text or "").split()).removeprefix("<").removesuffix(">")


def email_key(organization: UUID, message: Mapping[str, Any]) -> UUID:
    """Return the `activityid` of an incoming mail: from its Message-ID, else a weak key."""
    message_id = normalised_message_id(message.get("internetMessageId"))
    if message_id:
        return uuid5(organization, f"incoming:{message_id}")
    return _key_from_content(organization, "weak", message)


def other_email_key(organization: UUID, message: Mapping[str, Any]) -> UUID:
    """Return the `activityid` of a mail whose Message-ID another sender's mail already uses."""
    return _key_from_content(organization, "same-message-id", message)


def attachment_key(email: UUID, *, sha256: str, name: str) -> UUID:
    """Return the id of one attachment of an email row."""
    return uuid5(email, f"{sha256}:{name}")


def has_weak_key(message: Mapping[str, Any]) -> bool:
    """Return whether the mail has no Message-ID, so that its key is a guess from its content."""
    return not normalised_message_id(message.get("internetMessageId"))


def _key_from_content(organization: UUID, kind: str, message: Mapping[str, Any]) -> UUID:
    # Only what every recipient's copy has in common may enter: no received time, no Bcc.
    parts = [
        normalised_message_id(message.get("internetMessageId")),
        message.get("sentDateTime"),
        (address_of(message.get("from") or message.get("sender")) or "").casefold(),
        message.get("subject"),
        sorted(
            (address_of(recipient) or "").casefold()
            for name in ("toRecipients", "ccRecipients")
            for recipient in message.get(name) or ()
        ),
        _first_reference(message),
    ]
    return uuid5(organization, f"incoming:{kind}:{digest_of(parts)}")


def _first_reference(message: Mapping[str, Any]) -> str:
    """Return the first Message-ID of the `References` header, where the headers were read."""
    for header in message.get("internetMessageHeaders") or ():
        if str(header.get("name", "")).casefold() == "references":
            references = str(header.get("value", "")).split()
            return references[0] if references else ""
    return ""
