"""Messages as an Exchange mailbox keeps them, and as Graph shows them."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from sandbox.odata import Expansion


def opaque_id(prefix: str) -> str:
    """Return a fresh id as Exchange makes them: long, opaque, case-sensitive."""
    return prefix + base64.urlsafe_b64encode(uuid4().bytes + uuid4().bytes).decode().rstrip("=")


def graph_time(moment: datetime) -> str:
    """Return a moment as Graph writes it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file in a message."""

    id: str
    name: str
    content_type: str
    content: bytes
    is_inline: bool = False
    content_id: str | None = None
    modified_at: datetime = datetime(2024, 1, 1, tzinfo=UTC)
    told: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return the attachment with its content; what `told` names is told as it says."""
        return {
            "@odata.type": "#microsoft.graph.fileAttachment",
            "@odata.mediaContentType": self.content_type,
            "id": self.id,
            "lastModifiedDateTime": graph_time(self.modified_at),
            "name": self.name,
            "contentType": self.content_type,
            "size": len(self.content),
            "isInline": self.is_inline,
            "contentId": self.content_id,
            "contentLocation": None,
            "contentBytes": base64.b64encode(self.content).decode(),
            **self.told,
        }


def recipient(address: str, name: str | None = None) -> dict[str, Any]:
    """Return a recipient."""
    return {"emailAddress": {"name": name or address, "address": address}}


@dataclass(slots=True)
class Message:
    """One item: two ids, a folder, properties under Graph's names."""

    immutable_id: str
    mutable_id: str
    folder_id: str
    properties: dict[str, Any]
    change_key: str
    headers: list[dict[str, str]] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    extended: dict[str, str] = field(default_factory=dict)

    def id_for(self, *, immutable: bool) -> str:
        """Return the id in the format asked for."""
        return self.immutable_id if immutable else self.mutable_id

    def touch(self, now: datetime) -> None:
        """Note a change: a new version, a new time."""
        self.change_key = opaque_id("CQAAABYA")[:44]
        self.properties["lastModifiedDateTime"] = graph_time(now)

    def as_json(self, *, immutable: bool, text_body: bool = False) -> dict[str, Any]:
        """Return every property; the headers only leave it when they are selected."""
        shown = {
            "@odata.etag": f'W/"{self.change_key}"',
            "id": self.id_for(immutable=immutable),
            "changeKey": self.change_key,
            "parentFolderId": self.folder_id,
            "hasAttachments": any(not one.is_inline for one in self.attachments),
            **self.properties,
            "internetMessageHeaders": self.headers,
        }
        if text_body and shown["body"]["contentType"] == "html":
            text = to_text(shown["body"]["content"])
            shown["body"] = {"contentType": "text", "content": text}
        return shown


SENSITIVITY, SIZE, HAS_ATTACHMENTS = "Integer 0x36", "Integer 0xe08", "Boolean 0xe1b"
"""The MAPI properties that Graph shows of a message only when they are expanded."""
# The values of the `Sensitivity` header as PidTagSensitivity counts them.
_SENSITIVITIES = {"personal": "1", "private": "2", "company-confidential": "3"}


def extended_shown(message: Message, expansions: Iterable[Expansion]) -> dict[str, Any]:
    """Return the extended properties that a request expands, those alone that it names."""
    found: dict[str, Any] = {}
    for expansion in expansions:
        if expansion.name == "singleValueExtendedProperties":
            wanted = expansion.options.get("$filter", "").casefold()
            headers = {one["name"].casefold(): one["value"].casefold() for one in message.headers}
            every = {
                SENSITIVITY: _SENSITIVITIES.get(headers.get("sensitivity", ""), "0"),
                SIZE: str(len(str(message.properties))),
                # Inline ones too, which `hasAttachments` leaves out.
                HAS_ATTACHMENTS: str(bool(message.attachments)).lower(),
                **message.extended,
            }
            found[expansion.name] = [
                {"id": name, "value": value}
                for name, value in every.items()
                if f"'{name}'".casefold() in wanted
            ]
    return found


def to_text(markup: str) -> str:
    """Return the words of an HTML body."""
    without = re.sub(r"(?is)<(script|style|head).*?</\1>", "", markup)
    return html.unescape(re.sub(r"<[^>]+>", "", without)).strip()


_WRITABLE = (
    "subject",
    "body",
    "importance",
    "toRecipients",
    "ccRecipients",
    "bccRecipients",
    "replyTo",
    "sender",
    "from",
    "categories",
    "isRead",
    "isDeliveryReceiptRequested",
    "isReadReceiptRequested",
    "internetMessageId",
    "flag",
    "inferenceClassification",
)


def fresh_properties(now: datetime, *, domain: str) -> dict[str, Any]:
    """Return the properties of an empty draft."""
    moment = graph_time(now)
    conversation = opaque_id("AAQkAD")
    return {
        "createdDateTime": moment,
        "lastModifiedDateTime": moment,
        "receivedDateTime": moment,
        "sentDateTime": moment,
        "categories": [],
        "internetMessageId": f"<{uuid4()}@{domain}>",
        "subject": None,
        "bodyPreview": "",
        "importance": "normal",
        "conversationId": conversation,
        "conversationIndex": base64.b64encode(uuid4().bytes + b"\x01\x02\x03\x04\x05\x06").decode(),
        "isDeliveryReceiptRequested": False,
        "isReadReceiptRequested": False,
        "isRead": False,
        "isDraft": True,
        "webLink": "https://outlook.example.com/owa/?viewmodel=ReadMessageItem",
        "inferenceClassification": "focused",
        "body": {"contentType": "text", "content": ""},
        "toRecipients": [],
        "ccRecipients": [],
        "bccRecipients": [],
        "replyTo": [],
        "flag": {"flagStatus": "notFlagged"},
    }


_PEOPLE = frozenset({"toRecipients", "ccRecipients", "bccRecipients", "replyTo"})


def _named(recipients: Any) -> list[dict[str, Any]]:
    """Return recipients with names: one without is shown by the address."""
    kept = []
    for one in recipients or []:
        known = one.get("emailAddress") or {}
        kept.append(recipient(str(known.get("address", "")), known.get("name")))
    return kept


def apply_body(message: Message, body: Mapping[str, Any]) -> None:
    """Take over what a request sets; unknown properties and annotations are ignored."""
    for name in _WRITABLE:
        if name in body:
            message.properties[name] = _named(body[name]) if name in _PEOPLE else body[name]
    written = body.get("body")
    if isinstance(written, Mapping):
        kind = str(written.get("contentType", "text")).lower()
        content = str(written.get("content", ""))
        message.properties["body"] = {"contentType": kind, "content": content}
        text = to_text(content) if kind == "html" else content
        message.properties["bodyPreview"] = text[:255]
    for header in body.get("internetMessageHeaders") or []:
        message.headers.append({"name": header["name"], "value": header["value"]})
    for one in body.get("singleValueExtendedProperties") or []:
        message.extended[one["id"]] = one["value"]


def read_attachment(body: Mapping[str, Any], now: datetime) -> Attachment:
    """Return the attachment that a request describes."""
    return Attachment(
        id=opaque_id("AAMkAGat"),
        name=str(body.get("name", "")),
        content_type=str(body.get("contentType") or "application/octet-stream"),
        content=base64.b64decode(str(body.get("contentBytes", ""))),
        is_inline=bool(body.get("isInline", False)),
        content_id=body.get("contentId"),
        modified_at=now,
    )


def addressed(message: Message) -> list[str]:
    """Return the addresses of everybody a message goes to."""
    found = []
    for name in ("toRecipients", "ccRecipients", "bccRecipients"):
        found += [one["emailAddress"]["address"] for one in message.properties.get(name) or []]
    return found
