"""Reading a page: its entries become items, each with a verdict, and contents kept for the tasks.

Everything here comes before the page's own transaction, so that nothing slow or bulky holds it up.
A crash in between leaves nothing but contents that nobody asks for.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cloud.errors import CloudError
from kernel.clock import Clock
from kernel.database import Database
from kernel.digest import digest_of
from kernel.errors import GuardError
from kernel.log import get_logger
from sync.engine.judging import ContentJudge, ContentPolicies
from sync.engine.lasting import FEW_ATTEMPTS, is_lasting
from sync.engine.workload import Content, Page, Permit, Workload
from sync.errors import ItemUnreadable
from sync.failpoints import PAYLOADS
from sync.model.item import Item, UnreadableEntry, present
from sync.model.read import Read
from sync.model.stream import Stream
from sync.model.verdict import Fate, Verdict
from sync.store import links, payloads

NO_VERDICT = "No verdict could be reached."

log = get_logger("sync")


@dataclass(slots=True)
class ReadPage:
    """A page that was understood and judged.

    `verdicts` are by item id, for the items that are there; one for which none was reached stands
    among the unreadable entries. `reads` are the answers that were needed beside the page itself.
    """

    entries: tuple[Item | UnreadableEntry, ...]
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    reads: list[Read] = field(default_factory=list)


class PageReading:
    """Reads the pages of all streams."""

    def __init__(self, database: Database, clock: Clock, *, policies: ContentPolicies) -> None:
        self._database = database
        self._clock = clock
        self._policies = policies

    async def read(
        self, workload: Workload[Any], stream: Stream, page: Page, *, address: str, permit: Permit
    ) -> ReadPage:
        """Return what a page says, with the contents of its new items stored.

        Raises what the workload's `content` raises for a mailbox that cannot be reached.
        """
        # 1. Entries become items.
        entries = tuple(_item_of(workload, entry) for entry in page.entries)
        found = ReadPage(entries)
        contents = _contents(page, entries)
        # 2. What is known already keeps the verdict that it has: no policy is asked again.
        items = present(entries)
        known = await self._database.read(
            lambda c: links.find_many(c, stream.object_id, list(items))
        )
        # 3. Everything else is judged.
        judging = _Judging(
            self._clock, workload, self._policies.judge_for(workload), stream, address, permit
        )
        for item_id, item in items.items():
            verdict = await judging.verdict(
                item, contents, is_known=item_id in known, reads=found.reads
            )
            if isinstance(verdict, Verdict):
                found.verdicts[item_id] = verdict
            else:
                found.entries = _without(found.entries, verdict)
        # 4. What is to be written is kept for its task.
        wanted = {
            item_id: contents[item_id]
            for item_id, verdict in found.verdicts.items()
            if item_id not in known and item_id in contents and verdict.fate is not Fate.SKIP
        }
        await self._store(stream, wanted)
        return found

    async def _store(self, stream: Stream, contents: Mapping[str, Content]) -> None:
        if not contents:
            return
        now = self._clock.now()
        bodies = await asyncio.to_thread(payloads.packed_all, contents)
        if bodies:
            await self._database.write(
                lambda c: payloads.store(c, stream.object_id, bodies, now=now), failpoint=PAYLOADS
            )


@dataclass(frozen=True, slots=True)
class _Judging:
    """Judging the items of one page; `judge` is None where no policy is on them."""

    clock: Clock
    workload: Workload[Any]
    judge: ContentJudge | None
    stream: Stream
    address: str
    permit: Permit

    async def verdict(
        self, item: Item, contents: dict[str, Content], *, is_known: bool, reads: list[Read]
    ) -> Verdict | UnreadableEntry:
        """Return the verdict on an item, or why none was reached: then it is set aside."""
        try:
            own = self.workload.verdict(item)
            if self.judge is None or is_known or own.fate is Fate.SKIP:
                return own
            content = await self._content(item, contents, reads)
            if content is None:
                return Verdict(Fate.SKIP, "gone before it was read")
            return self.judge.verdict(
                item.item_id, content, own, folder=self.stream.folder, address=self.address
            )
        except ItemUnreadable as error:
            reason = error.message
        except CloudError as error:
            # The mailbox cannot be reached, or may not be: then the page is not committed at all.
            # What is wrong with this item alone must not stop the others.
            if not is_lasting(error, attempts=FEW_ATTEMPTS):
                raise
            reason = error.message
        except GuardError:
            raise
        except Exception as error:
            # A fault of ours must not stop the stream: the item is set aside, the others go on.
            log.error("verdict_failed", item_id=item.item_id, exc_info=error)
            return UnreadableEntry(item.item_id, NO_VERDICT)
        log.warning("verdict_not_reached", item_id=item.item_id, error=reason)
        return UnreadableEntry(item.item_id, reason)

    async def _content(
        self, item: Item, contents: dict[str, Content], reads: list[Read]
    ) -> Content | None:
        """Return the item as policies have to see it, read apart where its entry says too little.

        An update says no more than what changed, and what it does not say must not count as
        harmless. Without policies no such request is made.
        """
        if item.has_fields and item.item_id in contents:
            return contents[item.item_id]
        content = await self.workload.content(
            self.stream.object_id, item.item_id, permit=self.permit
        )
        if content is not None:
            reads.append(Read(self.clock.now(), self.workload.noun))
            contents[item.item_id] = content
        return content


def _item_of(workload: Workload[Any], entry: Any) -> Item | UnreadableEntry:
    """Return the item of an entry; a fault of ours at one must not stop the others."""
    try:
        return workload.item(entry)
    except Exception as error:
        name = entry.get("id") if isinstance(entry, Mapping) else None
        log.error("entry_failed", item_id=name, exc_info=error)
        if isinstance(name, str) and name:
            return UnreadableEntry(name, NO_VERDICT)
        return UnreadableEntry(f"unreadable:{digest_of(repr(entry))}", NO_VERDICT, is_named=False)


def _without(
    entries: tuple[Item | UnreadableEntry, ...], unjudged: UnreadableEntry
) -> tuple[Item | UnreadableEntry, ...]:
    """Return the entries with an item that could not be judged among the unreadable ones."""
    return tuple(
        unjudged if one.item_id == unjudged.item_id and not _is_removal(one) else one
        for one in entries
    )


def _is_removal(entry: Item | UnreadableEntry) -> bool:
    return isinstance(entry, Item) and entry.removed


def _contents(page: Page, entries: tuple[Item | UnreadableEntry, ...]) -> dict[str, Content]:
    """Return the entries that say enough to be written from, by item id.

    An item that a page lists more than once is left out: the entries come in any order, so that
    none of them is known to be the newest, and the item is read apart.
    """
    listed = Counter(
        entry.item_id for entry in entries if isinstance(entry, Item) and not entry.removed
    )
    return {
        entry.item_id: content
        for entry, content in zip(entries, page.entries, strict=True)
        if isinstance(entry, Item)
        and entry.is_whole
        and not entry.removed
        and listed[entry.item_id] == 1
    }
