"""The port to Dataverse: which mailboxes it holds, and the rows that mail becomes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

APPROVED = 1
SERVER_SIDE_SYNC = 2
ACTIVE = 0


@dataclass(frozen=True, slots=True)
class MailboxRow:
    """What Dataverse says of a mailbox; a column that did not come is None."""

    record_id: str
    address: str | None
    approval: int | None
    state: int | None
    incoming_delivery: int | None
    profile_id: str | None


@dataclass(frozen=True, slots=True)
class EmailRow:
    """What is needed of an email row that exists already."""

    row_id: str
    is_open: bool
    sender: str | None
    sent_at: str | None


class Crm(Protocol):
    """Rows of the configured Dataverse organisation."""

    async def mailboxes(self) -> list[MailboxRow]:
        """Return every mailbox row, read now, in pages. All of them, or an error."""
        ...

    async def active_profiles(self) -> frozenset[str]:
        """Return the ids of the server profiles that are active, in lower case."""
        ...

    async def create_email(self, row_id: UUID, columns: Mapping[str, Any]) -> bool:
        """Create an open email row; return False when a row with that id exists."""
        ...

    async def email(self, row_id: UUID) -> EmailRow | None:
        """Return an email row, or None when there is none."""
        ...

    async def create_attachment(self, attachment_id: UUID, columns: Mapping[str, Any]) -> bool:
        """Create an attachment of an open email row; False when it exists."""
        ...

    async def complete_email(self, row_id: UUID, *, notifications: int) -> None:
        """Complete an open email row as Received; from then on it is read-only."""
        ...
