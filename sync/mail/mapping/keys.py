"""Keys of rows, computed from what they hold, so that the same mail has the same row everywhere.

What makes a mail the same is its Message-ID *and* its content, attachments included: there are
senders that give every mail of a second one Message-ID, or none. The organisation's id is the
namespace: two organisations never share a key. A key made from the mail itself makes the second
create the same create.

Only what every recipient's copy has in common may enter: no received time, no Bcc, and no link as
Exchange rewrites it for one recipient.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid5

from kernel.digest import digest_of, sha256_hex
from sync.mail.item import address_of, sender_of

# Bounded work: neither looks behind a `<` or a quote for its end more than once.
_TAG = re.compile(r"<[^<>]*+>")
_LINK = re.compile(r"""(?:href|src)\s*+=\s*+("[^"]*+"|'[^']*+')""", re.IGNORECASE)
_URL = re.compile(r"https?://[^\s\"'<>]++", re.IGNORECASE)
_SAFE_LINKS = ".safelinks.protection.outlook.com"


def normalised_message_id(text: str | None) -> str:
    """Return a Message-ID without angle brackets and blanks; empty when there is none.

    Its case is kept: RFC 5322 compares Message-IDs as they are.
    """
    return "".join((text or "").split()).removeprefix("<").removesuffix(">")


def email_key(
    organization: UUID,
    message: Mapping[str, Any],
    attachments: Sequence[Mapping[str, Any]] | None = (),
    *,
    max_bytes: int = 0,
) -> UUID:
    """Return the `activityid` of an incoming mail: from its Message-ID and its content.

    `attachments` are as the service lists them, without their bytes; None when they could not be
    listed: then nobody knows whether another mail is the same, and the key is this item's alone.
    The size of one above `max_bytes` counts, because nobody will compare its bytes; that of others
    doesn't, because it includes what Exchange itself keeps with a file.
    """
    parts = [
        normalised_message_id(message.get("internetMessageId")),
        message.get("sentDateTime"),
        (sender_of(message) or "").casefold(),
        message.get("subject"),
        # Lists and relays write each recipient's own address there; the Message-ID stays.
        _recipients(message) if has_weak_key(message) else [],
        _fingerprint(message.get("body")),
        str(message.get("id"))
        if attachments is None
        else sorted(_listed(one, max_bytes=max_bytes) for one in attachments),
    ]
    # Escaped, so that half a surrogate pair in a subject is no obstacle.
    return uuid5(organization, f"incoming:{sha256_hex(json.dumps(parts).encode())}")


def other_email_key(first: UUID, contents: Sequence[str]) -> UUID:
    """Return the `activityid` of a mail that differs in the bytes of its attachments alone.

    `first` is the key that it shares with another; `contents` are the SHA-256 of the attachments.
    """
    return uuid5(first, f"attachments:{digest_of(sorted(contents))}")


def attachment_key(email: UUID, *, sha256: str, name: str, copy: int = 0) -> UUID:
    """Return the id of one attachment of an email row.

    `copy` counts those of the mail that are the same in name and bytes, from 0.
    """
    key = uuid5(email, f"{sha256}:{name}")
    return uuid5(key, f"copy:{copy}") if copy else key


def has_weak_key(message: Mapping[str, Any]) -> bool:
    """Return whether the mail has no Message-ID, so that its key is a guess from its content."""
    return not normalised_message_id(message.get("internetMessageId"))


def _recipients(message: Mapping[str, Any]) -> list[str]:
    return sorted(
        (address_of(recipient) or "").casefold()
        for name in ("toRecipients", "ccRecipients")
        for recipient in message.get(name) or ()
    )


def _listed(attachment: Mapping[str, Any], *, max_bytes: int) -> list[str]:
    size = attachment.get("size")
    is_large = isinstance(size, int) and size > max_bytes
    return [str(attachment.get("name")), str(size if is_large else "")]


def _fingerprint(body: Any) -> str:
    """Return a digest of what a body says and where it leads to, however it is marked up."""
    content = body.get("content") if isinstance(body, Mapping) else None
    if not isinstance(content, str):
        return ""
    content = content.encode("utf-8", "replace").decode()
    links = [_unwrapped(html.unescape(found[1:-1])) for found in _LINK.findall(content)]
    said = html.unescape(_TAG.sub(" ", content))
    said = _URL.sub(lambda found: _unwrapped(found[0]), said)
    return sha256_hex("\n".join([" ".join(said.split()), *links]).encode())


def _unwrapped(url: str) -> str:
    """Return where a link leads to that Exchange wrapped for one recipient (Safe Links)."""
    try:
        parsed = urlsplit(url)
        if not (parsed.hostname or "").endswith(_SAFE_LINKS):
            return url
        return parse_qs(parsed.query, max_num_fields=50).get("url", [url])[0]
    except ValueError:
        return url
