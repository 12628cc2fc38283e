"""Exchange mailboxes: folders, items, and a journal from which changes are told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sandbox.graph.messages import (
    Attachment,
    Message,
    apply_body,
    fresh_properties,
    graph_time,
    opaque_id,
    recipient,
)

WELL_KNOWN: Mapping[str, str] = {
    "msgfolderroot": "Top of Information Store",
    "inbox": "Inbox",
    "drafts": "Drafts",
    "sentitems": "Sent Items",
    "deleteditems": "Deleted Items",
    "archive": "Archive",
    "junkemail": "Junk Email",
    "outbox": "Outbox",
    "recoverableitemsdeletions": "Deletions",
}
_HIDDEN = frozenset({"msgfolderroot", "recoverableitemsdeletions"})


@dataclass(slots=True)
class Folder:
    """A mail folder."""

    id: str
    name: str
    parent_id: str | None
    well_known: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the journal: an item came to, changed in, or left a folder."""

    sequence: int
    folder_id: str
    immutable_id: str
    mutable_id: str
    present: bool
    created: bool


@dataclass(slots=True)
class Mailbox:
    """One mailbox."""

    object_id: str
    address: str
    purpose: str = "user"
    folders: dict[str, Folder] = field(default_factory=dict)
    items: dict[str, Message] = field(default_factory=dict)
    journal: list[Entry] = field(default_factory=list)
    generation: int = 1

    def folder(self, key: str) -> Folder | None:
        """Return a folder by id (case-sensitive) or well-known name."""
        if key in self.folders:
            return self.folders[key]
        name = key.lower()
        return next((f for f in self.folders.values() if f.well_known == name), None)

    def item(self, key: str) -> Message | None:
        """Return an item by either of its ids; both are case-sensitive."""
        if key in self.items:
            return self.items[key]
        return next((m for m in self.items.values() if m.mutable_id == key), None)

    def in_folder(self, folder_id: str) -> list[Message]:
        """Return the items of a folder, newest first."""
        found = [m for m in self.items.values() if m.folder_id == folder_id]
        return sorted(found, key=lambda m: str(m.properties["receivedDateTime"]), reverse=True)

    def note(
        self, message: Message, *, folder_id: str, present: bool, created: bool = False
    ) -> None:
        """Write a change into the journal."""
        sequence = len(self.journal) + 1
        ids = (message.immutable_id, message.mutable_id)
        self.journal.append(Entry(sequence, folder_id, *ids, present, created))

    def add(self, message: Message) -> Message:
        """Put a new item into its folder."""
        self.items[message.immutable_id] = message
        self.note(message, folder_id=message.folder_id, present=True, created=True)
        return message

    def changed(self, message: Message, now: datetime) -> None:
        """Note that an item was changed where it is."""
        message.touch(now)
        self.note(message, folder_id=message.folder_id, present=True)

    def move(self, message: Message, folder_id: str, now: datetime) -> Message:
        """Move an item: the mutable id changes, the immutable one stays."""
        self.note(message, folder_id=message.folder_id, present=False)
        message.folder_id = folder_id
        message.mutable_id = opaque_id("AAMkAD")
        message.touch(now)
        self.note(message, folder_id=folder_id, present=True, created=True)
        return message

    def delete(self, message: Message) -> None:
        """Remove an item for good."""
        del self.items[message.immutable_id]
        self.note(message, folder_id=message.folder_id, present=False)

    def forget_sync_state(self) -> None:
        """Make every link given so far invalid, as an eviction does."""
        self.generation += 1


@dataclass(frozen=True, slots=True)
class Arrival:
    """A mail on its way in."""

    subject: str
    sender: str
    text: str = ""
    html: str | None = None
    to: tuple[str, ...] = ()
    cc: tuple[str, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    folder: str = "inbox"
    message_id: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


class Exchange:
    """All mailboxes of the tenant."""

    def __init__(self, domain: str) -> None:
        self.domain = domain
        self.mailboxes: dict[str, Mailbox] = {}

    def create(self, object_id: str, address: str, *, purpose: str = "user") -> Mailbox:
        """Create a mailbox with the folders that every mailbox has."""
        mailbox = Mailbox(object_id, address, purpose)
        root_id = opaque_id("AQMkAD")
        for name, display in WELL_KNOWN.items():
            folder_id = root_id if name == "msgfolderroot" else opaque_id("AQMkAD")
            parent = None if name == "msgfolderroot" else root_id
            mailbox.folders[folder_id] = Folder(folder_id, display, parent, name)
        self.mailboxes[object_id] = mailbox
        return mailbox

    def new_message(
        self, mailbox: Mailbox, folder: str, body: Mapping[str, Any], *, now: datetime
    ) -> Message:
        """Create an item from a body; it is a draft until said otherwise."""
        target = mailbox.folder(folder)
        if target is None:
            raise KeyError(folder)
        message = Message(
            immutable_id=opaque_id("AAkALgAAAAAAHYQD"),
            mutable_id=opaque_id("AAMkAD"),
            folder_id=target.id,
            properties=fresh_properties(now, domain=self.domain),
            change_key=opaque_id("CQAAABYA")[:44],
        )
        apply_body(message, body)
        return message

    def deliver(self, mailbox: Mailbox, mail: Arrival, *, now: datetime) -> Message:
        """Let a mail arrive."""
        kind, content = ("html", mail.html) if mail.html is not None else ("text", mail.text)
        body = {
            "subject": mail.subject,
            "body": {"contentType": kind, "content": content},
            "sender": recipient(mail.sender),
            "from": recipient(mail.sender),
            "toRecipients": [recipient(one) for one in mail.to or (mailbox.address,)],
            "ccRecipients": [recipient(one) for one in mail.cc],
        }
        message = self.new_message(mailbox, mail.folder, body, now=now)
        message.properties["isDraft"] = False
        message.properties["sentDateTime"] = graph_time(now)
        if mail.message_id is not None:
            message.properties["internetMessageId"] = mail.message_id
        message.attachments.extend(mail.attachments)
        message.headers = [
            {"name": "Message-ID", "value": message.properties["internetMessageId"]},
            *({"name": name, "value": value} for name, value in mail.headers.items()),
        ]
        return mailbox.add(message)
