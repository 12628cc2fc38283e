"""Links: which item of a mailbox is which Dataverse row, and how far that has come."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class LinkState(StrEnum):
    """How far the row of an item has come."""

    PENDING = "pending"
    """Its row is still to be made."""
    TRACKED = "tracked"
    """It has its row."""
    SET_ASIDE = "set-aside"
    """Its row was refused; it stands in the quarantine and is tried again."""
    DROPPED = "dropped"
    """It needs no row: it was gone, or a draft, when it was read whole."""


class ItemPlace(StrEnum):
    """Where the item is, as far as is known."""

    HERE = "here"
    """In the folder of a stream."""
    ELSEWHERE = "elsewhere"
    """In the mailbox, but in no folder of a stream."""
    GONE = "gone"
    """Nowhere: the service itself said so. The link is a tombstone from now on."""


@dataclass(frozen=True, slots=True)
class Link:
    """One item and its row; the row stays when the item is gone.

    `shared_id` is the id that the item has outside of this mailbox too, if it has one: a mail's
    Message-ID, a meeting's iCalUId. `has_weak_key` tells that the row's id is a guess from the
    item's content.
    """

    item_id: str
    state: LinkState = LinkState.PENDING
    place: ItemPlace = ItemPlace.HERE
    shared_id: str | None = None
    row_id: str | None = None
    is_metadata_only: bool = False
    has_weak_key: bool = False

    @property
    def awaits_row(self) -> bool:
        """Whether the row still has to be made; one that is set aside is tried again."""
        return self.state in (LinkState.PENDING, LinkState.SET_ASIDE)
