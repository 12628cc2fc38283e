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
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID
from weakref import WeakValueDictionary

from cloud.errors import NotThere, RequestRejected, Unknown, Unreachable, WebhookRejected
from kernel.digest import sha256_hex
from sync.engine.lasting import is_refused
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
    """An attachment cannot be had, or written, now; `message` says why."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class _Stumbled(AttachmentMissing):
    """Dataverse stumbled at an attachment until the deadline of its call."""


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


# The size that Graph lists of an attachment counts what Exchange keeps with the file: hundreds of
# bytes (microsoft-graph-docs issue 9796), or kilobytes where an icon is among it.
OVERHEAD_BYTES = 64 * 1024
# So many take about as long as a claim on a task lasts; the others are tried another time.
MOST_STUMBLES = 2
# IsvAborted and IsvUnExpected: a plug-in of the organisation stopped the write.
_OWN_CODE = frozenset({"0x80040265", "0x80040224"})


@dataclass(frozen=True, slots=True)
class _Part:
    """One attachment with its bytes; `copy` counts those of the mail that are the same."""

    listed: Mapping[str, Any]
    content: bytes
    sha256: str
    copy: int

    def key_in(self, row_id: UUID) -> UUID:
        """Return the id of the attachment's row beneath that row of a mail."""
        name = name_of(self.listed)
        return attachment_key(row_id, sha256=self.sha256, name=name, copy=self.copy)


class _Copies:
    """Counts the attachments of one mail that are the same in name and bytes: each has a row.

    Of the names in `unknown` one was not to be had, so that no copy of it can be counted.
    """

    def __init__(self) -> None:
        self._seen: Counter[tuple[str, str]] = Counter()
        self.unknown: set[str] = set()

    async def next(self, one: Attached, content: bytes) -> _Part:
        """Return the next attachment, counted. Raises AttachmentMissing where it can't be."""
        name = name_of(one.listed)
        if name in self.unknown:
            raise AttachmentMissing("Another attachment of that name cannot be had now.")
        sha256 = await asyncio.to_thread(sha256_hex, content)
        copy = self._seen[name, sha256]
        self._seen[name, sha256] += 1
        return _Part(one.listed, content, sha256, copy)


class RowMaker:
    """Makes rows; the same row is made by one task at a time within this process."""

    def __init__(self, emails: EmailRows, organization: UUID, *, max_attachment_bytes: int) -> None:
        self._emails = emails
        self._organization = organization
        self._max_attachment_bytes = max_attachment_bytes
        self._max_listed_bytes = max_attachment_bytes + OVERHEAD_BYTES
        self._locks: WeakValueDictionary[UUID, asyncio.Lock] = WeakValueDictionary()

    async def make(
        self,
        message: Mapping[str, Any],
        values: EmailValues,
        attachments: Attachments,
        *,
        attempts: int = 1,
    ) -> MadeRow:
        """Make the row, or find it made. Raises RequestRejected for what Dataverse refuses.

        `attempts` is how often it was tried, this time included.
        """
        listed = [one.listed for one in attachments.found] if attachments.is_known else None
        first = await asyncio.to_thread(
            email_key, self._organization, message, listed, max_bytes=self._max_listed_bytes
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
            missing, is_lacking = await self._finish(row_id, values, attachments, attempts=attempts)
            return MadeRow(row_id, is_created, True, has_weak_key(message), missing, is_lacking)

    async def add(
        self,
        row_id: UUID,
        found: Sequence[Attached],
        wanted: Collection[str],
        *,
        is_lacking: bool,
        attempts: int = 1,
    ) -> tuple[str, ...]:
        """Add those of a mail's attachments whose ids are wanted to its completed row.

        Return the ids of those still missing. The row is open again only while bytes that are there
        already are written into it.
        """
        left = {one.part_id for one in found} & set(wanted)
        async with self._alone(row_id):
            copies, stumbles = await self._copies_beside(found, left), 0
            for one in found:
                if one.part_id not in left or stumbles >= MOST_STUMBLES:
                    continue
                try:
                    content = await self._content(one)
                    if content is None:
                        is_lacking = True
                        left.discard(one.part_id)
                        continue
                    part = await copies.next(one, content)
                except AttachmentMissing:
                    continue
                await self._emails.reopen_email(row_id)
                try:
                    is_lacking |= not await self._write(row_id, part, attempts=attempts)
                    left.discard(one.part_id)
                except AttachmentMissing as error:
                    stumbles += isinstance(error, _Stumbled)
                await self._complete(row_id, ATTACHMENTS_MISSING if left or is_lacking else 0)
        return tuple(one.part_id for one in found if one.part_id in left)

    async def _copies_beside(self, found: Sequence[Attached], wanted: Collection[str]) -> _Copies:
        """Return the copies that the row has of what is wanted; only equal names are looked at."""
        copies = _Copies()
        names = {name_of(one.listed) for one in found if one.part_id in wanted}
        for one in found:
            if one.part_id in wanted or name_of(one.listed) not in names:
                continue
            try:
                content = await self._content(one)
            except AttachmentMissing:
                copies.unknown.add(name_of(one.listed))
                continue
            if content is not None:
                await copies.next(one, content)
        return copies

    async def _other_key(self, first: UUID, attached: Sequence[Attached]) -> UUID | None:
        """Return the key of a mail that differs from the first one's in an attachment's bytes.

        None when it is the same mail, as far as what can be had of both tells.
        """
        theirs = await self._emails.attachments(first)
        digests: list[str] = []
        mine: dict[UUID, str] = {}
        unknown: set[str] = set()
        copies = _Copies()
        for one in attached:
            name = name_of(one.listed)
            try:
                content = await self._content(one)
            except AttachmentMissing:
                content = None
            if content is None:
                unknown.add(name.casefold())
                continue
            part = await copies.next(one, content)
            digests.append(part.sha256)
            mine[part.key_in(first)] = name.casefold()
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
        existing = await self._emails.email(row_id)
        if existing is None:
            raise RequestRejected("Dataverse says that the row of the mail exists, and shows none.")
        return False, existing

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
        self, row_id: UUID, values: EmailValues, attachments: Attachments, *, attempts: int
    ) -> tuple[tuple[str, ...], bool]:
        """Write what is attached and complete the row.

        Return the ids of what may come later, and whether anything else is lacking.
        """
        missing: list[str] = []
        is_lacking = False
        copies, stumbles = _Copies(), 0
        for one in attachments.found if attachments.is_wanted else ():
            if stumbles >= MOST_STUMBLES:
                missing.append(one.part_id)
                continue
            try:
                content = await self._content(one)
                if content is None:
                    is_lacking = True
                    continue
                part = await copies.next(one, content)
                is_lacking |= not await self._write(row_id, part, attempts=attempts)
            except AttachmentMissing as error:
                missing.append(one.part_id)
                stumbles += isinstance(error, _Stumbled)
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
        if isinstance(size, int) and size > self._max_listed_bytes:
            return None
        content = await one.read()
        return None if content is None or len(content) > self._max_attachment_bytes else content

    async def _write(self, row_id: UUID, part: _Part, *, attempts: int) -> bool:
        """Write one attachment; return whether the row has it now.

        Raises AttachmentMissing for one that may be taken later.
        """
        columns = await asyncio.to_thread(attachment_row, row_id, part.listed, part.content)
        try:
            await self._emails.create_attachment(part.key_in(row_id), columns)
        except RequestRejected as error:
            # The organisation's own code may be mended, and then takes what it refuses now.
            if isinstance(error, WebhookRejected) or error.service_code.lower() in _OWN_CODE:
                raise AttachmentMissing(error.message) from error
            # Blocked file types and sizes are the organisation's own settings; the mail comes in.
            return False
        except (Unknown, Unreachable) as error:
            if not is_refused(error, attempts=attempts):
                raise
            raise _Stumbled(error.message) from error
        return True

    @asynccontextmanager
    async def _alone(self, key: UUID) -> AsyncIterator[None]:
        lock = self._locks.setdefault(key, asyncio.Lock())
        async with lock:
            yield
