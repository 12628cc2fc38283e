"""The port to Exchange. Every method reaches a mailbox, so every attempt asks for a permit.

What a caller may see beside answers are the errors of `cloud.errors`: `CursorLost`, `Throttled`,
`Unreachable` (both with `until`), `Refused`, `NotThere` for a mailbox that is gone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

Permit = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a delta round: its entries, and either the next page or the round's end."""

    entries: tuple[Mapping[str, Any], ...]
    next_link: str | None = None
    delta_link: str | None = None


class Exchange(Protocol):
    """Mailboxes, by Exchange object id; items, by immutable id."""

    async def page(self, object_id: str, *, folder: str, link: str | None, permit: Permit) -> Page:
        """Return a page of a folder's messages: the first one of a full round without a link."""
        ...

    async def message(
        self, object_id: str, item_id: str, *, permit: Permit
    ) -> dict[str, Any] | None:
        """Return one message with what a row needs, or None when it is gone."""
        ...

    async def place(self, object_id: str, item_id: str, *, permit: Permit) -> str | None:
        """Return the id of the folder that an item is in, or None when the item is gone."""
        ...

    async def attachments(
        self, object_id: str, item_id: str, *, permit: Permit
    ) -> list[dict[str, Any]] | None:
        """Return what is attached, or None when the message is gone."""
        ...

    async def attachment_bytes(
        self, object_id: str, item_id: str, attachment_id: str, *, permit: Permit
    ) -> bytes | None:
        """Return the bytes of one attachment, or None when it is gone."""
        ...
