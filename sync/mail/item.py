"""Mails of a delta page: Graph's JSON becomes a small value that the plan can think about."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from kernel.digest import digest_of
from sync.errors import ItemUnreadable
from sync.model.item import Item, UnreadableEntry

MAX_ID = 1000
_NAMED_ADDRESS = re.compile(r"[^<>]*<\s*([^<>\s]+@[^<>\s]+)\s*>")

# With all of these in the page, the mail need not be read again to be written to Dataverse.
# An updated item carries at least what changed, possibly no more (delta query overview).
WHOLE = frozenset(
    {"internetMessageId", "isDraft", "subject", "body", "toRecipients", "hasAttachments"}
)
# With these beside it, all that policies see is there.
FIELDS = frozenset(
    {
        "categories",
        "ccRecipients",
        "from",
        "importance",
        "receivedDateTime",
        "singleValueExtendedProperties",
    }
)


@dataclass(frozen=True, slots=True)
class MailItem(Item):
    """One mail of a delta page; its `shared_id` is the Message-ID."""

    is_draft: bool | None = None
    sender: str | None = None
    subject: str | None = None
    received_at: datetime | None = None


def item_from_message(message: Mapping[str, Any]) -> MailItem:
    """Return the item that a delta entry describes; unknown properties are ignored.

    Raises ItemUnreadable when the entry has no id or a property of the wrong kind.
    """
    item_id = message.get("id")
    if not isinstance(item_id, str) or not is_plain(item_id):
        raise ItemUnreadable("An entry of the delta page has no usable id.")
    if "@removed" in message:
        return MailItem(item_id, removed=True)
    return MailItem(
        item_id,
        is_draft=_optional(message, "isDraft", bool),
        folder_id=_optional(message, "parentFolderId", str),
        shared_id=_plain_or_none(_optional(message, "internetMessageId", str)),
        sender=sender_of(message),
        subject=_optional(message, "subject", str),
        received_at=moment_from_text(_optional(message, "receivedDateTime", str)),
        is_whole=message.keys() >= WHOLE,
        has_fields=message.keys() >= WHOLE | FIELDS,
        version=_version_of(message),
    )


def entry_from(message: Any) -> MailItem | UnreadableEntry:
    """Return the item, or the unreadable entry under its id or, without one, its digest."""
    try:
        if not isinstance(message, Mapping):
            raise ItemUnreadable("An entry of the delta page is no object.")
        return item_from_message(message)
    except ItemUnreadable as error:
        name = message.get("id") if isinstance(message, Mapping) else None
        if isinstance(name, str) and is_plain(name):
            return UnreadableEntry(name, error.message)
        return UnreadableEntry(
            f"unreadable:{digest_of(repr(message))}", error.message, is_named=False
        )


def is_plain(text: str) -> bool:
    """Return whether both databases can keep the text in a key: printable ASCII, not too long."""
    return 0 < len(text) <= MAX_ID and text.isascii() and text.isprintable()


def address_of(recipient: Any) -> str | None:
    """Return the address in a Graph recipient, or None. Raises ItemUnreadable when it is no one."""
    if recipient is None:
        return None
    email = recipient.get("emailAddress") if isinstance(recipient, Mapping) else recipient
    if email is None:
        return None
    if not isinstance(email, Mapping):
        raise ItemUnreadable("A recipient of the mail has no `emailAddress` object.")
    address = email.get("address")
    if address is not None and not isinstance(address, str):
        raise ItemUnreadable("A recipient's address is no text.")
    address = (address or "").strip()
    # Some programs write the whole header where only the address belongs.
    named = _NAMED_ADDRESS.fullmatch(address)
    return (named[1] if named else address) or None


def sender_of(message: Mapping[str, Any]) -> str | None:
    """Return the address of `from`, or of `sender` where `from` has none.

    Raises ItemUnreadable when either is no recipient.
    """
    found = (address_of(message.get(name)) for name in ("from", "sender"))
    return next((address for address in found if address), None)


def moment_from_text(text: str | None) -> datetime | None:
    """Return the moment of an ISO 8601 text; one without offset is UTC, as Graph means it."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (OverflowError, ValueError) as error:
        raise ItemUnreadable("A time of the mail is no date and time.") from error


def text_from_moment(moment: datetime) -> str:
    """Return a moment as ISO 8601 text in UTC, to the second."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _version_of(message: Mapping[str, Any]) -> str | None:
    """Return what Exchange changes with every change of the item, if the entry says it."""
    version = message.get("changeKey") or message.get("@odata.etag")
    return version if isinstance(version, str) else None


def _plain_or_none(text: str | None) -> str | None:
    return text if text is not None and is_plain(text) else None


def _optional(message: Mapping[str, Any], name: str, kind: type) -> Any:
    value = message.get(name)
    if value is not None and not isinstance(value, kind):
        raise ItemUnreadable(f"`{name}` of the mail is no {kind.__name__}.")
    return value
