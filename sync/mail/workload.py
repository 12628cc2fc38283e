"""The workload mail: incoming messages of the Inbox become email rows in Dataverse."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from cloud.errors import CloudError
from rules.model.change import Value
from sync.engine.lasting import is_missing
from sync.engine.workload import Clients, Content, ItemToWrite, Page, Permit, Written
from sync.errors import BeingScanned, ItemUnreadable
from sync.mail.emails.port import EmailRows
from sync.mail.exchange.port import ANY_ATTACHMENT, Exchange
from sync.mail.fields import ENTITY, fields_of
from sync.mail.item import FIELDS, MailItem, entry_from, item_from_message
from sync.mail.mapping.attachment import bytes_in, is_placeholder, is_reference
from sync.mail.mapping.email import EmailValues, email_values
from sync.mail.plan import plan
from sync.mail.rows import Attached, AttachmentMissing, Attachments, RowMaker
from sync.model.address_book import AddressBook
from sync.model.delivery_method import DeliveryMethod
from sync.model.item import UnreadableEntry
from sync.model.link import Link, LinkState
from sync.model.plan import Plan
from sync.model.stream import Stream
from sync.model.verdict import Fate, Verdict

INBOX = "inbox"
# organization.maxuploadfilesize by default.
MAX_ATTACHMENT_BYTES = 5 * 1024 * 1024


# Stands for all attachments of a mail, where they could not be listed.
ALL = "*"
# So many that cannot be had are enough to know that the rest is better asked for another time.
MOST_MISSES = 5
# A scan takes minutes, half an hour at most. By this attempt of the doubling waits, 42 minutes have
# gone by: what still looks so came so, as where somebody forwarded it.
SCAN_ATTEMPTS = 10


class MailWorkload:
    """Incoming mail: everything that the engine asks of it (see `sync.engine.workload`)."""

    name = "mail"
    noun = "mail"
    effect = "A mail becomes an email row in Dataverse: row, attachments, status."
    delivery = DeliveryMethod.INCOMING
    entity: str | None = ENTITY
    folders: Sequence[str] = (INBOX,)

    def __init__(
        self,
        exchange: Exchange,
        emails: EmailRows,
        organization: UUID,
        *,
        max_attachment_bytes: int = MAX_ATTACHMENT_BYTES,
    ) -> None:
        self._exchange = exchange
        self._rows = RowMaker(emails, organization, max_attachment_bytes=max_attachment_bytes)
        self._mapping: dict[tuple[str, str], asyncio.Future[tuple[MailItem, EmailValues]]] = {}

    @classmethod
    def over(cls, clients: Clients) -> MailWorkload:
        """Return the workload over the live services."""
        # The clients load slowly, and who only lists mailboxes needs none.
        from sync.mail.emails.dataverse import DataverseEmailRows
        from sync.mail.exchange.graph import GraphExchange

        return cls(
            GraphExchange(clients.graph),
            DataverseEmailRows(clients.dataverse, clients.meter),
            clients.organization,
        )

    async def page(
        self,
        stream: Stream,
        *,
        link: str | None,
        permit: Permit,
        at_most: int | None = None,
        ids_only: bool = False,
    ) -> Page:
        """Return a page of the folder's messages, bodies included unless only ids are wanted."""
        return await self._exchange.page(
            stream.object_id,
            folder=stream.folder,
            link=link,
            permit=permit,
            at_most=at_most,
            ids_only=ids_only,
        )

    async def content(self, object_id: str, item_id: str, *, permit: Permit) -> Content | None:
        """Return one message whole, or None when it is gone.

        What policies look at and the service does not tell is there as None: asking again would
        not tell it either.
        """
        found = await self._exchange.message(object_id, item_id, permit=permit)
        return None if found is None else {**dict.fromkeys(FIELDS), **found}

    async def folder_of(self, object_id: str, item_id: str, *, permit: Permit) -> str | None:
        """Return the id of the folder that a message is in, or None when it is gone."""
        return await self._exchange.place(object_id, item_id, permit=permit)

    def item(self, entry: Any) -> MailItem | UnreadableEntry:
        """Return the mail that a delta entry describes, or why it cannot be understood."""
        return entry_from(entry)

    def verdict(self, item: MailItem) -> Verdict:
        """Track incoming mail of the Inbox; drafts never."""
        if item.is_draft:
            return Verdict(Fate.SKIP, "draft")
        return Verdict(Fate.TRACK, "incoming mail of the Inbox")

    def fields(self, content: Content, *, address: str, folder: str) -> Mapping[str, Value]:
        """Return what policies see of a mail that was read whole. Raises ItemUnreadable."""
        return fields_of(content, address=address, folder=folder)

    def plan(
        self,
        base: Mapping[str, Link],
        left: Sequence[MailItem | UnreadableEntry],
        right: Mapping[str, Verdict],
    ) -> Plan:
        """Return what to remember and to do for a page."""
        return plan(base, left, right)

    async def write(self, item: ItemToWrite) -> Written:
        """Make the row of a mail with its attachments, or find it made.

        Raises ItemUnreadable or RequestRejected for what is to be set aside, and BeingScanned while
        what is attached is not there yet.
        """
        # 1. The columns. Cleaning a large body takes milliseconds, which the event loop owes to the
        #    webhook.
        mail, values = await self._mapped(item)
        if mail.is_draft:
            return Written("a draft", state=LinkState.DROPPED)
        # 2. What is attached; the bytes follow one by one, while the row is open.
        attachments, missing = await self._attachments(item)
        # 3. The row, its attachments, its completion.
        await item.check()
        made = await self._rows.make(item.content, values, attachments, attempts=item.attempts)
        return Written(
            str(made.row_id),
            row_id=str(made.row_id),
            has_weak_key=made.has_weak_key,
            is_new=made.is_created,
            is_completed=made.is_completed,
            missing=missing + made.missing if made.is_completed else (),
            is_lacking=made.is_lacking,
        )

    async def _mapped(self, item: ItemToWrite) -> tuple[MailItem, EmailValues]:
        """Return what a mail is mapped to; what an earlier try still works on is waited for.

        A thread can't be ended: one that takes too long is never joined by a second for the same.
        """
        key = (item.object_id, item.link.item_id)
        running = self._mapping.get(key)
        if running is None:
            running = asyncio.ensure_future(
                asyncio.to_thread(_mapped, item.content, item.address_book, item.link)
            )
            self._mapping[key] = running
            running.add_done_callback(lambda _: self._mapping.pop(key, None))
        return await asyncio.shield(running)

    async def supplement(
        self, item: ItemToWrite, missing: Sequence[str], *, is_lacking: bool
    ) -> tuple[str, ...]:
        """Add to a completed row the attachments that could not be had when it was made.

        Raises RequestRejected where the row cannot be opened again.
        """
        attachments, not_listed = await self._attachments(item)
        if not attachments.is_known:
            return tuple(missing) if not_listed else ()
        found = attachments.found
        wanted = [one.part_id for one in found] if ALL in missing else missing
        await item.check()
        return await self._rows.add(
            UUID(str(item.link.row_id)),
            found,
            wanted,
            is_lacking=is_lacking,
            attempts=item.attempts,
        )

    async def _attachments(self, item: ItemToWrite) -> tuple[Attachments, tuple[str, ...]]:
        """Return what is attached, without a request for the mails that surely have nothing.

        Beside it stands what to ask for later, where not even the list can be had now.
        """
        if _has_surely_none(item.content):
            return Attachments(), ()
        try:
            listed = await self._exchange.attachments(
                item.object_id, item.link.item_id, permit=item.permit
            )
        except CloudError as error:
            if not is_missing(error, attempts=item.attempts):
                raise
            return Attachments(is_known=False), (ALL,)
        if listed is None:
            return Attachments(is_known=False), ()
        if listed:
            item.note_read("attachments", len(listed))
        if item.attempts < SCAN_ATTEMPTS and any(is_placeholder(one) for one in listed):
            raise BeingScanned("What is attached to this mail is still being scanned.")
        reader = _Reader(self._exchange, item)
        found = [Attached(one, partial(reader.read, one)) for one in listed]
        return Attachments(found, is_wanted=not item.link.is_metadata_only), ()


@dataclass(slots=True)
class _Reader:
    """Reads the attachments of one mail; `misses` counts those that cannot be had."""

    exchange: Exchange
    item: ItemToWrite
    misses: int = 0

    async def read(self, attachment: Mapping[str, Any]) -> bytes | None:
        """Return the bytes, or None for what has none. Raises AttachmentMissing."""
        if is_reference(attachment):
            return None
        content = bytes_in(attachment)
        if content is not None:
            return content
        if self.misses >= MOST_MISSES:
            raise AttachmentMissing("Too many attachments of this mail cannot be had now.")
        try:
            content = await self.exchange.attachment_bytes(
                self.item.object_id,
                self.item.link.item_id,
                str(attachment.get("id")),
                permit=self.item.permit,
            )
        except CloudError as error:
            if not is_missing(error, attempts=self.item.attempts):
                raise
            self.misses += 1
            raise AttachmentMissing(error.message) from error
        if content is None:
            self.misses += 1
            raise AttachmentMissing("The service says that the attachment is gone.")
        return content


def _has_surely_none(content: Content) -> bool:
    """Return whether nothing is attached to a mail; where the service does not tell, nobody knows.

    `hasAttachments` leaves inline ones out, whether the body shows them or not.
    """
    return content.get("hasAttachments") is False and content.get(ANY_ATTACHMENT) is False


def _mapped(
    message: Mapping[str, Any], book: AddressBook, link: Link
) -> tuple[MailItem, EmailValues]:
    """Return the item and its row's columns. Raises ItemUnreadable whatever is wrong with it."""
    try:
        values = email_values(message, book, is_metadata_only=link.is_metadata_only)
        return item_from_message(message), values
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        # The error's own text may hold a piece of the mail.
        raise ItemUnreadable(
            f"The mail cannot be understood ({type(error).__name__} while its row was mapped)."
        ) from error
