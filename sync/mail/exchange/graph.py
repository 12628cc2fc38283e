"""The adapter of the port to Exchange over Graph."""

from __future__ import annotations

from typing import Any

from cloud.classify import ITEM_GONE_CODES
from cloud.errors import NotThere
from cloud.graph import MESSAGE_SELECT, Graph
from sync.engine.workload import Page, Permit
from sync.mail.exchange.port import ANY_ATTACHMENT

# The body comes with the page: read apart it would cost a request for each mail. So does what
# policies see beside it. A round keeps what its first request asked for, so all is always asked.
IDS_SELECT = ("id", "changeKey", "parentFolderId")
PAGE_SELECT = (*MESSAGE_SELECT, "body", "categories")
# Graph's messages have no property for the sender's sensitivity, the size, and whether anything is
# attached that is inline; MAPI's have. Source: "message: delta" (`$expand` is supported);
# MS-OXPROPS, PidTagSensitivity, PidTagMessageSize and PidTagHasAttachments.
PROPERTIES = "singleValueExtendedProperties"
EXPAND = (
    f"{PROPERTIES}($filter=id eq 'Integer 0x36' or id eq 'Integer 0xe08' or id eq 'Boolean 0xe1b')"
)
_HAS_ATTACHMENTS = "boolean 0xe1b"


class GraphExchange:
    """Mailboxes as Graph shows them."""

    def __init__(self, graph: Graph, *, page_size: int = 50) -> None:
        self._graph = graph
        self._page_size = page_size

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
        """Return a page of a folder's messages, bodies included unless only ids are wanted."""
        page = await self._graph.message_delta(
            object_id,
            folder=folder,
            link=link,
            page_size=min(at_most or self._page_size, self._page_size),
            permit=permit,
            select=IDS_SELECT if ids_only else PAGE_SELECT,
            expand="" if ids_only else EXPAND,
            reason="list changed mail of an approved mailbox",
        )
        entries = tuple(_told(item) for item in page.items)
        return Page(entries, next_link=page.next_link, delta_link=page.delta_link)

    async def message(
        self, object_id: str, item_id: str, *, permit: Permit
    ) -> dict[str, Any] | None:
        """Return one message with what a row needs."""
        message = await self._graph.message(
            object_id,
            item_id,
            select=PAGE_SELECT,
            expand=EXPAND,
            permit=permit,
            reason="read a tracked mail",
        )
        return None if message is None else _told(message)

    async def place(self, object_id: str, item_id: str, *, permit: Permit) -> str | None:
        """Return the folder that an item is in, None when the service says that it is gone."""
        message = await self._graph.message(
            object_id,
            item_id,
            select=("id", "parentFolderId"),
            permit=permit,
            reason="verify a removal",
        )
        return None if message is None else str(message.get("parentFolderId") or "")

    async def attachments(
        self, object_id: str, item_id: str, *, permit: Permit
    ) -> list[dict[str, Any]] | None:
        """Return what is attached to a message."""
        try:
            return await self._graph.attachments(
                object_id, item_id, permit=permit, reason="list a tracked mail's attachments"
            )
        except NotThere as error:
            if error.service_code.lower() in ITEM_GONE_CODES:
                return None
            raise

    async def attachment_bytes(
        self, object_id: str, item_id: str, attachment_id: str, *, permit: Permit
    ) -> bytes | None:
        """Return the bytes of one attachment."""
        try:
            return await self._graph.attachment_bytes(
                object_id,
                item_id,
                attachment_id,
                permit=permit,
                reason="read a tracked mail's attachment",
            )
        except NotThere as error:
            if error.service_code.lower() in ITEM_GONE_CODES:
                return None
            raise


def _told(message: Any) -> Any:
    """Return the message with what one of its MAPI properties tells under a name of its own."""
    properties = message.get(PROPERTIES) if isinstance(message, dict) else None
    if not isinstance(properties, list):
        return message
    kept, found = [], {}
    for one in properties:
        name = str(one.get("id")).casefold() if isinstance(one, dict) else ""
        if name == _HAS_ATTACHMENTS:
            found[ANY_ATTACHMENT] = str(one.get("value")).casefold() == "true"
        else:
            kept.append(one)
    return {**message, PROPERTIES: kept, **found}
