"""The adapter of the email rows over the Web API.

Why a tracked mail costs two requests and not one: Microsoft documents that `statecode` is changed
by updating a row, not that a create may carry a state other than the first one, and attachments can
only be added while the row is open. So a row is created, then completed.

Source: the email and activitymimeattachment tables of the Dataverse reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from cloud.dataverse import Dataverse
from sync.mail.emails.port import EmailRow
from sync.mail.failpoints import ATTACHMENT, COMPLETION, REOPENING, ROW
from sync.meter import Meter

COMPLETED, RECEIVED = 1, 4
OPEN, DRAFT = 0, 1


class DataverseEmailRows:
    """Email rows behind a Web API client."""

    def __init__(self, dataverse: Dataverse, meter: Meter) -> None:
        self._dataverse = dataverse
        self._meter = meter

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
            select=("activityid", "statecode", "statuscode"),
            reason="look at a mail's row that exists",
        )
        return None if row is None else EmailRow(str(row_id), is_open=row.get("statecode") == 0)

    async def attachments(self, row_id: UUID) -> dict[UUID, str]:
        """Return the file names of an email row's attachments."""
        self._meter.add("dataverse_requests")
        rows = await self._dataverse.rows(
            "activitymimeattachments",
            select=("activitymimeattachmentid", "filename"),
            filter=f"_objectid_value eq {row_id}",
            reason="look at the attachments of a mail's row that exists",
        )
        found = {row.get("activitymimeattachmentid"): row.get("filename") for row in rows}
        return {UUID(str(one)): str(name or "") for one, name in found.items() if one}

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

    async def complete_email(self, row_id: UUID, *, notifications: int | None) -> None:
        """Complete an open email row as Received."""
        columns = {"statecode": COMPLETED, "statuscode": RECEIVED}
        if notifications is not None:
            columns["notifications"] = notifications
        await self._move(row_id, columns, COMPLETION, reason="complete a tracked mail's row")

    async def reopen_email(self, row_id: UUID) -> None:
        """Open a completed email row again."""
        columns = {"statecode": OPEN, "statuscode": DRAFT}
        await self._move(row_id, columns, REOPENING, reason="open a tracked mail's row again")

    async def _move(
        self, row_id: UUID, columns: Mapping[str, Any], failpoint: str, *, reason: str
    ) -> None:
        self._meter.add("dataverse_requests")
        await self._dataverse.update(
            "emails", str(row_id), columns, if_match="*", failpoint=failpoint, reason=reason
        )
