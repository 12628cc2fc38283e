"""A trivial workload, notes of two notebooks, that shows how little the engine knows of mail.

A notebook is a list of changes in memory; a note becomes a row in memory under an id made from its
own. Nothing here imports `sync.mail`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from cloud.errors import CursorLost, RequestRejected
from kernel.failpoints import NONE, Failpoints, failpoint
from rules.model.change import Value
from sync.engine.workload import Content, ItemToWrite, Page, Permit, Written
from sync.model.delivery_method import DeliveryMethod
from sync.model.item import Item, UnreadableEntry, present
from sync.model.link import ItemPlace, Link, LinkState
from sync.model.plan import Intent, IntentKind, Plan, SetAside
from sync.model.stream import Stream
from sync.model.verdict import Fate, Verdict

ROW = failpoint("tests.notes.row", "A note's row is made.")


class Notebooks:
    """The two sides of the workload: the notebooks of each mailbox, and the rows."""

    def __init__(self) -> None:
        self.notes: dict[tuple[str, str], dict[str, Any]] = {}
        self.changes: dict[tuple[str, str], list[str]] = defaultdict(list)
        self.rows: dict[str, str] = {}
        self.refused: set[str] = set()
        self.requests: Counter[str] = Counter()
        self.failpoints: Failpoints = NONE
        self.generation = 0

    def write(self, object_id: str, notebook: str, note_id: str, text: str) -> None:
        """Put a note into a notebook, or take it there from another one."""
        old = self.notes.get((object_id, note_id))
        if old is not None and old["notebook"] != notebook:
            self.changes[object_id, old["notebook"]].append(note_id)
        self.notes[object_id, note_id] = {"id": note_id, "notebook": notebook, "text": text}
        self.changes[object_id, notebook].append(note_id)

    def tear_out(self, object_id: str, note_id: str) -> None:
        """Take a note away for good."""
        note = self.notes.pop((object_id, note_id))
        self.changes[object_id, note["notebook"]].append(note_id)


class NotesWorkload:
    """Notes: outgoing by their delivery method, one stream for each of two notebooks."""

    name = "notes"
    noun = "note"
    effect = "A note becomes a row."
    delivery = DeliveryMethod.ACT
    entity: str | None = None
    folders: Sequence[str] = ("red", "blue")

    def __init__(self, notebooks: Notebooks, *, page_size: int = 2) -> None:
        self._notebooks = notebooks
        self._page_size = page_size

    async def page(
        self,
        stream: Stream,
        *,
        link: str | None,
        permit: Permit,
        at_most: int | None = None,
        ids_only: bool = False,
    ) -> Page:
        await permit()
        self._notebooks.requests[stream.object_id] += 1
        changes = self._notebooks.changes[stream.object_id, stream.folder]
        generation, start = (self._notebooks.generation, 0) if link is None else _read(link)
        if generation != self._notebooks.generation:
            raise CursorLost("The notebook was bound anew.", status=410)
        end = min(start + self._page_size, len(changes))
        entries = tuple(self._entry(stream, note_id) for note_id in changes[start:end])
        following = f"{generation}/{end}"
        if end < len(changes):
            return Page(entries, next_link=following)
        return Page(entries, delta_link=following)

    def _entry(self, stream: Stream, note_id: str) -> dict[str, Any]:
        note = self._notebooks.notes.get((stream.object_id, note_id))
        if note is None or note["notebook"] != stream.folder:
            return {"id": note_id, "torn_out": True}
        return note

    async def content(self, object_id: str, item_id: str, *, permit: Permit) -> Content | None:
        await permit()
        return self._notebooks.notes.get((object_id, item_id))

    async def folder_of(self, object_id: str, item_id: str, *, permit: Permit) -> str | None:
        await permit()
        note = self._notebooks.notes.get((object_id, item_id))
        return None if note is None else str(note["notebook"])

    def item(self, entry: Any) -> Item | UnreadableEntry:
        if "torn_out" in entry:
            return Item(entry["id"], removed=True)
        if not isinstance(entry.get("text"), str):
            return UnreadableEntry(entry["id"], "The note has no text.")
        return Item(entry["id"], is_whole=True, has_fields=True, folder_id=entry["notebook"])

    def verdict(self, item: Item) -> Verdict:
        return Verdict(Fate.TRACK, "a note")

    def fields(self, content: Content, *, address: str, folder: str) -> Mapping[str, Value]:
        return {"subject": str(content["text"]), "mailbox": address, "folder": folder}

    def plan(
        self,
        base: Mapping[str, Link],
        left: Sequence[Item | UnreadableEntry],
        right: Mapping[str, Verdict],
    ) -> Plan:
        found = present(left)
        new = [one for one in found if one not in base and one in right]
        skipped = {one for one in new if right[one].fate is Fate.SKIP}
        links = [Link(one) for one in new if one not in skipped]
        links += [
            replace(base[one], place=ItemPlace.HERE)
            for one in found
            if one in base and base[one].place is not ItemPlace.HERE
        ]
        intents = [Intent(IntentKind.CREATE, one) for one in new if one not in skipped]
        intents += [
            Intent(IntentKind.VERIFY, entry.item_id)
            for entry in left
            if isinstance(entry, Item) and entry.removed and entry.item_id in base
        ]
        return Plan(
            links=tuple(links),
            verdicts=tuple((one, right[one]) for one in new),
            intents=tuple(dict.fromkeys(intents)),
            set_aside=tuple(
                SetAside(one.item_id, one.reason)
                for one in left
                if isinstance(one, UnreadableEntry)
            ),
            known=tuple(one for one in found if one in base),
        )

    async def write(self, item: ItemToWrite) -> Written:
        text = str(item.content["text"])
        if text in self._notebooks.refused:
            raise RequestRejected("Nobody wants this note.", status=400)
        await item.check()
        self._notebooks.failpoints.reach(ROW, "before-send")
        row_id = f"row-of-{item.link.item_id}"
        is_new = row_id not in self._notebooks.rows
        self._notebooks.rows.setdefault(row_id, text)
        self._notebooks.failpoints.reach(ROW, "after-send")
        return Written(
            row_id,
            state=LinkState.TRACKED,
            row_id=row_id,
            is_new=is_new,
        )

    async def supplement(
        self, item: ItemToWrite, missing: Sequence[str], *, is_lacking: bool
    ) -> tuple[str, ...]:
        return ()


def _read(link: str) -> tuple[int, int]:
    generation, _, start = link.partition("/")
    return int(generation), int(start)
