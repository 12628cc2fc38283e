"""Mailboxes in memory: the twin of Exchange, with the habits that the real one has.

A folder's delta is a log of changes; a link is a place in it. Faults are queued by the test.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cloud.errors import BadAnswer, CloudError, CursorLost, NotThere
from sync.engine.workload import Page, Permit
from sync.mail.exchange.port import ANY_ATTACHMENT

INBOX_ID = "inbox-folder-id"
SLIM = "/ids"


@dataclass(slots=True)
class _Mailbox:
    messages: dict[str, dict[str, Any]] = field(default_factory=dict)
    attached: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    log: list[tuple[str, bool]] = field(default_factory=list)


class MemoryExchange:
    """Mailboxes that a test fills; `requests` counts what reached each of them."""

    def __init__(self, *, page_size: int = 50) -> None:
        self.page_size = page_size
        self.requests: Counter[str] = Counter()
        self._mailboxes: dict[str, _Mailbox] = {}
        self._faults: dict[str, list[CloudError]] = defaultdict(list)
        self._generation = 0
        # What cannot be had, for as long as it stands here: items and attachments, by their ids.
        self.broken: dict[str, CloudError] = {}
        self.largest_page: int | None = None

    def add_mailbox(self, object_id: str) -> None:
        """Let a mailbox exist."""
        self._mailboxes.setdefault(object_id, _Mailbox())

    def deliver(
        self,
        object_id: str,
        message: Mapping[str, Any],
        *,
        attachments: list[dict[str, Any]] | None = None,
    ) -> None:
        """Put a message, with its `id`, into the Inbox."""
        self.add_mailbox(object_id)
        box = self._mailboxes[object_id]
        told = {"parentFolderId": INBOX_ID, ANY_ATTACHMENT: bool(attachments)}
        box.messages[message["id"]] = {**told, **message}
        box.attached[message["id"]] = attachments or []
        box.log.append((message["id"], False))

    def touch(self, object_id: str, item_id: str) -> None:
        """Let the delta list an item again."""
        self._mailboxes[object_id].log.append((item_id, False))

    def move(self, object_id: str, item_id: str, folder_id: str) -> None:
        """Move an item; the Inbox says that it was removed, or lists it again."""
        box = self._mailboxes[object_id]
        box.messages[item_id]["parentFolderId"] = folder_id
        box.log.append((item_id, folder_id != INBOX_ID))

    def delete(self, object_id: str, item_id: str) -> None:
        """Delete an item for good."""
        box = self._mailboxes[object_id]
        del box.messages[item_id]
        box.log.append((item_id, True))

    def fail_next(self, object_id: str, *errors: CloudError) -> None:
        """Answer the next requests to that mailbox with these errors."""
        self._faults[object_id].extend(errors)

    def lose_cursors(self) -> None:
        """Let every link that was given out be dead."""
        self._generation += 1

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
        """Return a page of the Inbox; a round of ids is known by its links."""
        box = await self._reach(object_id, permit)
        is_slim = ids_only or (link or "").endswith(SLIM)
        page = self._page(box, (link or "").removesuffix(SLIM) or None, at_most)
        if not is_slim:
            for entry in page.entries:
                self._look_at(str(entry["id"]))
            if self.largest_page is not None and len(page.entries) > self.largest_page:
                raise BadAnswer("The service's answer is larger than allowed.", status=200)
            return page
        kept = ("id", "@removed", "parentFolderId")
        return Page(
            tuple({name: one[name] for name in kept if name in one} for one in page.entries),
            next_link=page.next_link and page.next_link + SLIM,
            delta_link=page.delta_link and page.delta_link + SLIM,
        )

    def _page(self, box: _Mailbox, link: str | None, at_most: int | None) -> Page:
        size = min(at_most or self.page_size, self.page_size)
        if link is None:
            entries = [
                message
                for message in box.messages.values()
                if message["parentFolderId"] == INBOX_ID
            ]
            return self._cut(entries, size, kind="full", start=0, log_end=len(box.log))
        generation, kind, start, log_end = link.split("/")
        if int(generation) != self._generation:
            raise CursorLost("The sync state generation is not found.", status=410)
        if kind == "full":
            entries = [
                message
                for message in box.messages.values()
                if message["parentFolderId"] == INBOX_ID
            ]
            return self._cut(entries, size, kind="full", start=int(start), log_end=int(log_end))
        changed = [
            {"id": item_id, "@removed": {"reason": "deleted"}}
            if is_removed or item_id not in box.messages
            else box.messages[item_id]
            for item_id, is_removed in box.log[int(start) :]
        ]
        return self._cut(
            changed, size, kind="delta", start=0, log_end=len(box.log), base=int(start)
        )

    async def message(
        self, object_id: str, item_id: str, *, permit: Permit
    ) -> dict[str, Any] | None:
        """Return one message."""
        box = await self._reach(object_id, permit)
        self._look_at(item_id)
        return box.messages.get(item_id)

    async def place(self, object_id: str, item_id: str, *, permit: Permit) -> str | None:
        """Return the folder that the item is in."""
        message = (await self._reach(object_id, permit)).messages.get(item_id)
        return None if message is None else str(message["parentFolderId"])

    async def attachments(
        self, object_id: str, item_id: str, *, permit: Permit
    ) -> list[dict[str, Any]] | None:
        """Return what is attached to a message."""
        box = await self._reach(object_id, permit)
        return box.attached[item_id] if item_id in box.messages else None

    async def attachment_bytes(
        self, object_id: str, item_id: str, attachment_id: str, *, permit: Permit
    ) -> bytes | None:
        """Return the bytes of an attachment that has `_bytes`."""
        box = await self._reach(object_id, permit)
        for attachment in box.attached.get(item_id, []):
            if attachment["id"] == attachment_id:
                self._look_at(attachment_id)
                content: bytes = attachment["_bytes"]
                return content
        return None

    async def _reach(self, object_id: str, permit: Permit) -> _Mailbox:
        await permit()
        self.requests[object_id] += 1
        if self._faults[object_id]:
            raise self._faults[object_id].pop(0)
        if object_id not in self._mailboxes:
            raise NotThere("The mailbox does not exist.", status=404)
        return self._mailboxes[object_id]

    def _look_at(self, name: str) -> None:
        if name in self.broken:
            raise self.broken[name]

    def _cut(
        self,
        entries: list[dict[str, Any]],
        size: int,
        *,
        kind: str,
        start: int,
        log_end: int,
        base: int = 0,
    ) -> Page:
        cut = tuple(entries[start : start + size])
        end = start + len(cut)
        if kind == "delta":
            more = end < len(entries)
            link = f"{self._generation}/delta/{base + end}/0"
            return Page(cut, next_link=link) if more else Page(cut, delta_link=link)
        if end < len(entries):
            return Page(cut, next_link=f"{self._generation}/full/{end}/{log_end}")
        return Page(cut, delta_link=f"{self._generation}/delta/{log_end}/0")
