"""Email rows in memory: the twin of Dataverse. Completed rows are read-only, as real ones are."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from cloud.errors import CloudError, NotThere, RequestRejected
from kernel.failpoints import NONE, Failpoints
from sync.mail.emails.port import EmailRow
from sync.mail.failpoints import ATTACHMENT, COMPLETION, REOPENING, ROW
from sync.meter import Meter


class MemoryEmailRows:
    """An organisation that a test fills; `requests` counts by operation.

    Like the transport, it reaches `before-send` and `after-send` of each write's step.
    """

    def __init__(self, *, meter: Meter | None = None, failpoints: Failpoints = NONE) -> None:
        self.meter = meter or Meter()
        self.failpoints = failpoints
        self.rows: dict[UUID, dict[str, Any]] = {}
        self.attached: dict[UUID, dict[str, Any]] = {}
        self.requests: Counter[str] = Counter()
        self.refused_subjects: set[str] = set()
        self._faults: dict[str, list[CloudError]] = defaultdict(list)

    def fail_next(self, operation: str, *errors: CloudError) -> None:
        """Answer the next requests of that operation (a method's name) with these errors."""
        self._faults[operation].extend(errors)

    async def create_email(self, row_id: UUID, columns: Mapping[str, Any]) -> bool:
        """Create an open email row."""
        self.failpoints.reach(ROW, "before-send")
        self._count("create_email")
        if columns.get("subject") in self.refused_subjects:
            raise RequestRejected("The subject is refused.", status=400)
        is_new = row_id not in self.rows
        if is_new:
            self.rows[row_id] = {"statecode": 0, "statuscode": 1, **columns}
        self.failpoints.reach(ROW, "after-send")
        return is_new

    async def email(self, row_id: UUID) -> EmailRow | None:
        """Return an email row."""
        self._count("email")
        row = self.rows.get(row_id)
        return None if row is None else EmailRow(str(row_id), row["statecode"] == 0)

    async def attachments(self, row_id: UUID) -> dict[UUID, str]:
        """Return the file names of a row's attachments."""
        self._count("attachments")
        bound = f"/activitypointers({row_id})"
        return {
            attachment_id: str(columns["filename"])
            for attachment_id, columns in self.attached.items()
            if columns["objectid_activitypointer@odata.bind"] == bound
        }

    async def create_attachment(self, attachment_id: UUID, columns: Mapping[str, Any]) -> bool:
        """Create an attachment of an open row."""
        self.failpoints.reach(ATTACHMENT, "before-send")
        self._count("create_attachment")
        if attachment_id in self.attached:
            return False
        bound = str(columns["objectid_activitypointer@odata.bind"])
        self._open_row(UUID(bound.partition("(")[2].rstrip(")")))
        self.attached[attachment_id] = dict(columns)
        self.failpoints.reach(ATTACHMENT, "after-send")
        return True

    async def complete_email(self, row_id: UUID, *, notifications: int | None) -> None:
        """Complete an open row as Received."""
        self.failpoints.reach(COMPLETION, "before-send")
        self._count("complete_email")
        row = self._open_row(row_id)
        row.update(statecode=1, statuscode=4)
        if notifications is not None:
            row["notifications"] = notifications
        self.failpoints.reach(COMPLETION, "after-send")

    async def reopen_email(self, row_id: UUID) -> None:
        """Open a completed row again."""
        self.failpoints.reach(REOPENING, "before-send")
        self._count("reopen_email")
        row = self.rows.get(row_id)
        if row is None:
            raise NotThere("The email row does not exist.", status=404)
        row.update(statecode=0, statuscode=1)
        self.failpoints.reach(REOPENING, "after-send")

    def _open_row(self, row_id: UUID) -> dict[str, Any]:
        row = self.rows.get(row_id)
        if row is None:
            raise NotThere("The email row does not exist.", status=404)
        if row["statecode"] != 0:
            raise RequestRejected("The email row is read-only.", status=400)
        return row

    def _count(self, operation: str) -> None:
        self.requests[operation] += 1
        self.meter.add("dataverse_requests")
        if self._faults[operation]:
            raise self._faults[operation].pop(0)
