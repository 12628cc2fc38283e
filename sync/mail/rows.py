"""Making the row of one mail in Dataverse: row, attachments, then status, each step repeatable.

The row's id is computed from the mail, so a crash after any step finds what it made. A row that
exists under it is the same mail, come by another mailbox or an earlier attempt; unless a file of
the same name holds other bytes: then it is another mail, and this one has its own row.

An attachment that cannot be had never holds up its mail: the row is completed and says that not
all attachments were saved. `add` brings what is missing later.

The order and the columns are those of docs/contract.md, "Incoming mail".
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID
from weakref import WeakValueDictionary

from cloud.errors import NotThere, RequestRejected
from kernel.digest import sha256_hex
from sync.mail.emails.port import EmailRow, EmailRows
from sync.mail.mapping.attachment import attachment_row, name_of
from sync.mail.mapping.email import ATTACHMENTS_MISSING, BODY_CUT, EmailValues
from sync.mail.mapping.keys import attachment_key, email_key, has_weak_key, other_email_key
from sync.mail.mapping.parties import unbound


@dataclass(frozen=True, slots=True)
class Attached:
    """One attachment: what the service lists of it, and how to get its bytes when it is their turn.

    `read` returns None for one that has no bytes to be had, and raises AttachmentMissing for one
    whose bytes may be had later.
    """

    listed: Mapping[str, Any]
    read: Callable[[], Awaitable[bytes | None]]

    @property
    def part_id(self) -> str:
        """The id by which the service knows the attachment."""
        return str(self.listed.get("id"))


class AttachmentMissing(Exception):
    """The bytes of an attachment cannot be had now; `message` says why."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


@dataclass(frozen=True, slots=True)
class Attachments:
    """What is attached to a mail; `is_known` tells that the service could list it.

    `wanted` tells that the bytes go into the row, and not only what is listed into its key.
    """

    found: Sequence[Attached] = ()
    is_known: bool = True
    is_wanted: bool = True


@dataclass(frozen=True, slots=True)
class MadeRow:
    """The row of a mail: whether we created it, or only completed what was there open.

    `missing` are the ids of the attachments that could not be had now; `is_lacking` tells that
    others never can.
    """

    row_id: UUID
    is_created: bool
    is_completed: bool
    has_weak_key: bool
    missing: tuple[str, ...] = ()
    is_lacking: bool = False


class RowMaker:
    """Makes rows; the same row is made by one task at a time within this process."""

    def __init__(self, emails: EmailRows, organization: UUID, *, max_attachment_bytes: int) -> None:
        self._emails = emails
        self._organization = organization
        self._max_attachment_bytes = max_attachment_bytes
        self._locks: WeakValueDictionary[UUID, asyncio.Lock] = WeakValueDictionary()

    async def make(
        self, message: Mapping[str, Any], values: EmailValues, attachments: Attachments
    ) -> MadeRow:
        """Make the row, or find it made. Raises RequestRejected for what Dataverse refuses."""
        listed = [one.listed for one in attachments.found] if attachments.is_known else None
        first = await asyncio.to_thread(
            email_key, self._organization, message, listed, max_bytes=self._max_attachment_bytes
        )
        async with self._alone(first):
            row_id = first
            is_created, existing = await self._create(row_id, values)
            if existing is not None and attachments.is_wanted and attachments.found:
                other = await self._other_key(first, attachments.found)
                if other is not None:
                    row_id = other
                    is_created, existing = await self._create(row_id, values)
            if existing is not None and not existing.is_open:
                return MadeRow(row_id, is_created, False, has_weak_key(message))
            missing, is_lacking = await self._finish(row_id, values, attachments)
            return MadeRow(row_id, is_created, True, has_weak_key(message), missing, is_lacking)

    async def add(
        self, row_id: UUID, attached: Sequence[Attached], *, is_lacking: bool
    ) -> tuple[str, ...]:
        """Add attachments to a completed row; return the ids of those still missing.

        The row is open again only while bytes that are there already are written into it.
        """
        left = {one.part_id for one in attached}
        async with self._alone(row_id):
            for one in attached:
                try:
                    content = await self._content(one)
                except AttachmentMissing:
                    continue
                left.discard(one.part_id)
                await self._emails.reopen_email(row_id)
                is_lacking |= content is None or not await self._write(row_id, one, content)
                await self._complete(row_id, ATTACHMENTS_MISSING if left or is_lacking else 0)
        return tuple(one.part_id for one in attached if one.part_id in left)

    async def _other_key(self, first: UUID, attached: Sequence[Attached]) -> UUID | None:
        """Return the key of a mail that differs from the first one's in an attachment's bytes.

        None when it is the same mail, as far as what can be had of both tells.
        """
        theirs = await self._emails.attachments(first)
        digests: list[str] = []
        mine: dict[UUID, str] = {}
        unknown: set[str] = set()
        for one in attached:
            name = name_of(one.listed)
            try:
                content = await self._content(one)
            except AttachmentMissing:
                content = None
            if content is None:
                unknown.add(name.casefold())
                continue
            digest = await asyncio.to_thread(sha256_hex, content)
            digests.append(digest)
            mine[attachment_key(first, sha256=digest, name=name)] = name.casefold()
        names = set(mine.values()) - unknown
        differ = any(
            name.casefold() in names and attachment_id not in mine
            for attachment_id, name in theirs.items()
        )
        return other_email_key(first, digests) if differ else None

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

    async def _finish(
        self, row_id: UUID, values: EmailValues, attachments: Attachments
    ) -> tuple[tuple[str, ...], bool]:
        """Write what is attached and complete the row.

        Return the ids of what may come later, and whether anything else is lacking.
        """
        missing: list[str] = []
        is_lacking = False
        for one in attachments.found if attachments.is_wanted else ():
            try:
                content = await self._content(one)
            except AttachmentMissing:
                missing.append(one.part_id)
                continue
            is_lacking |= content is None or not await self._write(row_id, one, content)
        is_complete = attachments.is_known and not missing and not is_lacking
        cut = BODY_CUT if values.is_cut else None
        await self._complete(row_id, cut if is_complete else ATTACHMENTS_MISSING)
        return tuple(missing), is_lacking

    async def _complete(self, row_id: UUID, notifications: int | None) -> None:
        try:
            await self._emails.complete_email(row_id, notifications=notifications)
        except RequestRejected:
            # Another process may have completed the same row between our steps.
            existing = await self._emails.email(row_id)
            if existing is None or existing.is_open:
                raise

    async def _content(self, one: Attached) -> bytes | None:
        """Return the bytes of an attachment, or None for one that no row can have."""
        size = one.listed.get("size")
        if isinstance(size, int) and size > self._max_attachment_bytes:
            return None
        content = await one.read()
        return None if content is None or len(content) > self._max_attachment_bytes else content

    async def _write(self, row_id: UUID, one: Attached, content: bytes) -> bool:
        """Write one attachment; return whether the row has it now."""
        attachment_id, columns = await asyncio.to_thread(
            attachment_row, row_id, one.listed, content
        )
        try:
            await self._emails.create_attachment(attachment_id, columns)
        except RequestRejected:
            # Blocked file types and sizes are the organisation's own settings; the mail comes in.
            return False
        return True

    @asynccontextmanager
    async def _alone(self, key: UUID) -> AsyncIterator[None]:
        lock = self._locks.setdefault(key, asyncio.Lock())
        async with lock:
            yield
