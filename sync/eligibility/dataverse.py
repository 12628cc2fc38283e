"""The adapter of the mailbox rows over the Web API.

Source: the mailbox and emailserverprofile tables of the Dataverse reference.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from cloud.dataverse import Dataverse, Row
from cloud.errors import CloudError
from sync.eligibility.port import ACTIVE, MailboxRow
from sync.meter import Meter

PAGE_SIZE = 5000
_MAILBOX_SELECT = (
    "mailboxid",
    "emailaddress",
    "emailrouteraccessapproval",
    "statecode",
    "incomingemaildeliverymethod",
    "outgoingemaildeliverymethod",
    "actdeliverymethod",
    "_emailserverprofile_value",
    "_regardingobjectid_value",
    "_ownerid_value",
)


class DataverseMailboxRows:
    """Mailbox rows behind a Web API client."""

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


def _mailbox_from(row: Mapping[str, Any]) -> MailboxRow:
    return MailboxRow(
        record_id=str(row["mailboxid"]).casefold(),
        address=_text(row.get("emailaddress")),
        approval=_number(row.get("emailrouteraccessapproval")),
        state=_number(row.get("statecode")),
        incoming_delivery=_number(row.get("incomingemaildeliverymethod")),
        outgoing_delivery=_number(row.get("outgoingemaildeliverymethod")),
        act_delivery=_number(row.get("actdeliverymethod")),
        profile_id=_text(row.get("_emailserverprofile_value")),
        owner_id=_text(row.get("_regardingobjectid_value")) or _text(row.get("_ownerid_value")),
    )


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _number(value: Any) -> int | None:
    # A boolean is a number to Python, and none to a choice column.
    return value if isinstance(value, int) and not isinstance(value, bool) else None
