"""The port to the email rows of Dataverse.

Terms:
- *email row*: a row of the email table, under an id that was computed from the mail, so that the
  same mail has the same row from whichever mailbox it came;
- *open*: a row that can still be changed and take attachments; once it is *completed* as Received
  it is read-only, so the order is row, attachments, completion;
- *columns*: what is written, under the logical names of the Web API.

Every write is safe to repeat: what exists already is said, not written twice. Errors are those of
`cloud.errors`; `RequestRejected` for what the organisation refuses, `NotThere` where a row or a
table that the columns name does not exist.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True)
class EmailRow:
    """What is needed of an email row that exists already."""

    row_id: str
    is_open: bool


class EmailRows(Protocol):
    """The email rows of the configured organisation."""

    async def create_email(self, row_id: UUID, columns: Mapping[str, Any]) -> bool:
        """Create an open email row; return False when a row with that id exists."""
        ...

    async def email(self, row_id: UUID) -> EmailRow | None:
        """Return an email row, or None when there is none."""
        ...

    async def create_attachment(self, attachment_id: UUID, columns: Mapping[str, Any]) -> bool:
        """Create an attachment of an open email row; False when it exists."""
        ...

    async def attachments(self, row_id: UUID) -> dict[UUID, str]:
        """Return the file names of an email row's attachments, by the attachments' ids."""
        ...

    async def complete_email(self, row_id: UUID, *, notifications: int | None) -> None:
        """Complete an open email row as Received; from then on it is read-only.

        `notifications`: 0 nothing to say, 1 not all attachments were saved, 2 the body was cut;
        None leaves what the row says.
        """
        ...

    async def reopen_email(self, row_id: UUID) -> None:
        """Open a completed email row again, so that it takes attachments; open ones stay so."""
        ...
