"""The port to the mail of Exchange.

Terms:
- *object id*: which mailbox, by the id of the Entra user behind it, never by an address;
- *message*: an object of Graph's JSON, under Graph's own names, by its immutable id. Beside the
  properties of a message it carries `singleValueExtendedProperties`, a list of `id` and `value`:
  the sender's sensitivity (`Integer 0x36`) and the size in bytes (`Integer 0xe08`), where the
  service told them; and `hasAnyAttachment`, whether anything at all is attached, inline too, which
  `hasAttachments` leaves out, where the service told it;
- *link*: where a round goes on, opaque, to be used as it came;
- *permit*: asked before every attempt, because every method reaches a mailbox.

Beside answers a caller may see the errors of `cloud.errors`: `CursorLost`, `Throttled` and
`Unreachable` (both with `until`), `Refused`, and `NotThere` for a mailbox that is gone. Only the
service's own word that an item is gone answers None.
"""

from __future__ import annotations

from typing import Any, Protocol

from sync.engine.workload import Page, Permit

ANY_ATTACHMENT = "hasAnyAttachment"


class Exchange(Protocol):
    """Mailboxes, by Exchange object id; messages, by immutable id."""

    async def page(
        self,
        object_id: str,
        *,
        folder: str,
        link: str | None,
        permit: Permit,
        at_most: int | None = None,
        ids_only: bool = False,
    ) -> Page:
        """Return a page of a folder's messages: the first one of a full round without a link.

        A round tells of each message what its first page was asked for: all that a row needs, or
        ids only.
        """
        ...

    async def message(
        self, object_id: str, item_id: str, *, permit: Permit
    ) -> dict[str, Any] | None:
        """Return one message with what a row and a policy need, or None when it is gone."""
        ...

    async def place(self, object_id: str, item_id: str, *, permit: Permit) -> str | None:
        """Return the id of the folder that a message is in, or None when it is gone."""
        ...

    async def attachments(
        self, object_id: str, item_id: str, *, permit: Permit
    ) -> list[dict[str, Any]] | None:
        """Return what is attached, without bytes, or None when the message is gone."""
        ...

    async def attachment_bytes(
        self, object_id: str, item_id: str, attachment_id: str, *, permit: Permit
    ) -> bytes | None:
        """Return the bytes of one attachment, or None when it is gone."""
        ...
