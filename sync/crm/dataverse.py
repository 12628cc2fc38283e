"""The adapter of the Dataverse port over the Web API.

Why a tracked mail costs two requests and not one: Microsoft documents that `statecode` is changed
by updating a row, not that a create may carry a state other than the first one, and attachments can
only be added while the row is open. So a row is created, then completed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any
from uuid import UUID

from cloud.dataverse import Dataverse, Row
from cloud.errors import CloudError
from sync.crm.port import ACTIVE, EmailRow, MailboxRow
from sync.engine.meter import Meter
from sync.failpoints import ATTACHMENT, COMPLETION, ROW

PAGE_SIZE = 5000
COMPLETED, RECEIVED = 1, 4
_MAILBOX_SELECT = (
    "mailboxid",
    "emailaddress",
    "emailrouteraccessapproval",
    "statecode",
    "incomingemaildeliverymethod",
    "_emailserverprofile_value",
)


class DataverseCrm:
    """Rows of the organisation behind a Web API client."""

    def __init__(self, dataverse: Dataverse, meter: Meter) -> None:
        self._dataverse = dataverse
        self._meter = meter

    async def mailboxes(self) -> list[MailboxRow]:
        """Return every mailbox row."""
        found: list[MailboxRow] = []
        pages = self._pages(
            "mailboxes", _MAILBOX_SELECT, reason="read which mailboxes are approved"
        )
        async for page in pages:
            found += [_mailbox_from(row) for row in page if row.get("mailboxid")]
        return found

    async def active_profiles(self) -> frozenset[str]:
        """Return the ids of the active server profiles."""
        found: set[str] = set()
        pages = self._pages(
            "emailserverprofiles",
            ("emailserverprofileid", "statecode"),
            reason="read which server profiles are active",
        )
        async for page in pages:
            # A profile whose state did not come may be active; then its mailboxes are not ours.
            found |= {
                str(row.get("emailserverprofileid") or "").casefold()
                for row in page
                if row.get("statecode") in (ACTIVE, None)
            }
        return frozenset(found)

    async def _pages(
        self, table: str, select: Sequence[str], *, reason: str
    ) -> AsyncIterator[list[Row]]:
        """Yield the rows page by page; each page is one request, the one that fails included."""
        pages = self._dataverse.pages(table, select=select, page_size=PAGE_SIZE, reason=reason)
        try:
            async for page in pages:
                self._meter.add("dataverse_requests")
                yield page
        except CloudError:
            self._meter.add("dataverse_requests")
            raise

    async def create_email(self, row_id: UUID, columns: Mapping[str, Any]) -> bool:
        """Create an open email row under the id that was computed for it."""
        self._meter.add("dataverse_requests")
        return await self._dataverse.create_if_absent(
            "emails", str(row_id), columns, failpoint=ROW, reason="create a tracked mail's row"
        )

    async def email(self, row_id: UUID) -> EmailRow | None:
        """Return an email row."""
        self._meter.add("dataverse_requests")
        row = await self._dataverse.get(
            "emails",
            str(row_id),
            select=("activityid", "statecode", "statuscode", "sender", "actualstart"),
            reason="look at a mail's row that exists",
        )
        if row is None:
            return None
        return EmailRow(
            str(row_id),
            is_open=row.get("statecode") == 0,
            sender=_text(row.get("sender")),
            sent_at=_text(row.get("actualstart")),
        )

    async def create_attachment(self, attachment_id: UUID, columns: Mapping[str, Any]) -> bool:
        """Create an attachment of an open email row."""
        self._meter.add("dataverse_requests")
        return await self._dataverse.create_if_absent(
            "activitymimeattachments",
            str(attachment_id),
            columns,
            failpoint=ATTACHMENT,
            reason="create a tracked mail's attachment",
        )

    async def complete_email(self, row_id: UUID, *, notifications: int) -> None:
        """Complete an open email row as Received."""
        self._meter.add("dataverse_requests")
        columns: dict[str, Any] = {"statecode": COMPLETED, "statuscode": RECEIVED}
        if notifications:
            columns["notifications"] = notifications
        await self._dataverse.update(
            "emails",
            str(row_id),
            columns,
            if_match="*",
            failpoint=COMPLETION,
            reason="complete a tracked mail's row",
        )


def _mailbox_from(row: Mapping[str, Any]) -> MailboxRow:
    return MailboxRow(
        record_id=str(row["mailboxid"]).casefold(),
        address=_text(row.get("emailaddress")),
        approval=_number(row.get("emailrouteraccessapproval")),
        state=_number(row.get("statecode")),
        incoming_delivery=_number(row.get("incomingemaildeliverymethod")),
        profile_id=_text(row.get("_emailserverprofile_value")),
    )


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
