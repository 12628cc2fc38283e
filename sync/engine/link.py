"""Links: which Exchange item is which Dataverse row, and how far that has come."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class LinkState(StrEnum):
    """How far the row of an item has come."""

    PENDING = "pending"
    TRACKED = "tracked"
    SET_ASIDE = "set-aside"
    DROPPED = "dropped"


class ItemPlace(StrEnum):
    """Where the item is, as far as is known."""

    HERE = "here"
    ELSEWHERE = "elsewhere"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Link:
    """One item and its row. `GONE` makes the link a tombstone; the row stays."""

    item_id: str
    state: LinkState = LinkState.PENDING
    place: ItemPlace = ItemPlace.HERE
    message_id: str | None = None
    row_id: str | None = None
    is_metadata_only: bool = False
    has_weak_key: bool = False
