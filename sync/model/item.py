"""Items: what one entry of a page says, in the words that every workload shares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar


@dataclass(frozen=True, slots=True)
class Item:
    """One entry of a page, by the immutable id of what it is about.

    `is_whole` tells that the entry says enough to write the row without reading the item again,
    `has_fields` that it says what policies see as well. `version` is what changes with every
    change of the item, if the entry says it. A workload may add what its own plan needs to know.
    """

    item_id: str
    removed: bool = False
    is_whole: bool = False
    has_fields: bool = False
    folder_id: str | None = None
    shared_id: str | None = None
    version: str | None = None


@dataclass(frozen=True, slots=True)
class UnreadableEntry:
    """An entry of a page that cannot be understood, or judged, under the best name it has.

    `is_named` tells that this is the item's own id, so that it can be read again by itself.
    """

    item_id: str
    reason: str
    is_named: bool = True


I = TypeVar("I", bound=Item)  # noqa: E741 - the letter stands for an item, as T does for a type.


def present(entries: Sequence[I | UnreadableEntry]) -> dict[str, I]:
    """Return one entry for each item that is there, by id: the first whole one, else the last.

    Entries repeat within a page, and a repeated one may say less than the first.
    """
    found: dict[str, I] = {}
    for entry in entries:
        if isinstance(entry, UnreadableEntry) or entry.removed:
            continue
        seen = found.get(entry.item_id)
        if seen is None or not seen.is_whole:
            found[entry.item_id] = entry
    return found
