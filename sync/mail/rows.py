"""Making the row of one mail in Dataverse: row, attachments, then status, each step repeatable.

The row's id is computed from the mail, so a crash after any step finds what it made. A row that
exists and is complete is the same mail, come by another mailbox or an earlier attempt; unless its
sender or sending time differ: then another sender used the Message-ID, and this mail has its own
row.

The order and the columns are those of docs/contract.md, "Incoming mail".
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID
from weakref import WeakValueDictionary

from cloud.errors import NotThere, RequestRejected
from sync.errors import ItemUnreadable
from sync.mail.emails.port import EmailRow, EmailRows
from sync.mail.item import moment_from_text
from sync.mail.mapping.attachment import attachment_row
from sync.mail.mapping.email import ATTACHMENTS_MISSING, BODY_CUT, EmailValues
from sync.mail.mapping.keys import email_key, has_weak_key, other_email_key
from sync.mail.mapping.parties import unbound

Attached = tuple[Mapping[str, Any], Callable[[], Awaitable[bytes | None]]]
"""What is known of an attachment, and how to get its bytes when their turn comes."""


@dataclass(frozen=True, slots=True)
class MadeRow:
    """The row of a mail: whether we created it, or only completed what was there open."""

    row_id: UUID
    is_created: bool
    is_completed: bool
    has_weak_key: bool


class RowMaker:
    """Makes rows; the same row is made by one task at a time within this process."""

    def __init__(self, emails: EmailRows, organization: UUID, *, max_attachment_bytes: int) -> None:
        self._emails = emails
        self._organization = organization
        self._max_attachment_bytes = max_attachment_bytes
        self._locks: WeakValueDictionary[UUID, asyncio.Lock] = WeakValueDictionary()

    async def make(
        self, message: Mapping[str, Any], values: EmailValues, attached: list[Attached]
    ) -> MadeRow:
        """Make the row, or find it made. Raises ItemUnreadable when both its keys are taken."""
        first = email_key(self._organization, message)
        async with self._alone(first):
            for row_id in (first, other_email_key(self._organization, message)):
                is_created, existing = await self._create(row_id, values)
                if existing is not None and not is_same_mail(existing, values.columns):
                    continue
                is_open = existing is None or existing.is_open
                if is_open:
                    await self._finish(row_id, values, attached)
                return MadeRow(row_id, is_created, is_open, has_weak_key(message))
        raise ItemUnreadable("Other mails already have every row that this mail could have.")

    async def _create(self, row_id: UUID, values: EmailValues) -> tuple[bool, EmailRow | None]:
        """Create the row; return whether that was new, and else what is there already."""
        try:
            if await self._create_or_unbound(row_id, values.columns):
                return True, None
        except RequestRejected:
            # Parties beneath an existing row may be refused before its existence is told (412).
            existing = await self._emails.email(row_id)
            if existing is None:
                raise
            return False, existing
        return False, await self._emails.email(row_id)

    async def _create_or_unbound(self, row_id: UUID, columns: Mapping[str, Any]) -> bool:
        """Create the row; return whether that was new.

        The row that an address was bound to may be gone: then the addresses alone tell who took
        part.
        """
        try:
            return await self._emails.create_email(row_id, columns)
        except NotThere:
            addressed = unbound(columns)
            if addressed == columns:
                raise
            return await self._emails.create_email(row_id, addressed)

    async def _finish(self, row_id: UUID, values: EmailValues, attached: list[Attached]) -> None:
        is_missing = False
        for attachment, read in attached:
            is_missing |= not await self._attach(row_id, attachment, read)
        notifications = ATTACHMENTS_MISSING if is_missing else 0
        if values.is_cut and not is_missing:
            notifications = BODY_CUT
        try:
            await self._emails.complete_email(row_id, notifications=notifications)
        except RequestRejected:
            # Another process may have completed the same row between our steps.
            existing = await self._emails.email(row_id)
            if existing is None or existing.is_open:
                raise

    async def _attach(
        self,
        row_id: UUID,
        attachment: Mapping[str, Any],
        read: Callable[[], Awaitable[bytes | None]],
    ) -> bool:
        """Write one attachment; return whether the row has it now."""
        size = attachment.get("size")
        if isinstance(size, int) and size > self._max_attachment_bytes:
            return False
        content = await read()
        if content is None or len(content) > self._max_attachment_bytes:
            return False
        attachment_id, columns = await asyncio.to_thread(
            attachment_row, row_id, attachment, content
        )
        try:
            await self._emails.create_attachment(attachment_id, columns)
        except RequestRejected:
            # Blocked file types and sizes are the organisation's own settings; the mail comes in.
            return False
        return True

    @asynccontextmanager
    async def _alone(self, key: UUID) -> Any:
        lock = self._locks.setdefault(key, asyncio.Lock())
        async with lock:
            yield


def is_same_mail(existing: EmailRow, columns: Mapping[str, Any]) -> bool:
    """Return whether a row is the mail that these columns describe; what is unknown is equal."""
    sender = columns.get("sender")
    if existing.sender and sender and existing.sender.casefold() != sender.casefold():
        return False
    sent_at = columns.get("actualstart")
    if not existing.sent_at or not sent_at:
        return True
    try:
        return moment_from_text(existing.sent_at) == moment_from_text(sent_at)
    except ItemUnreadable:
        return True
