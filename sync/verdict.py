"""What is to become of an item: the sync's answer, as a decision is the guard's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from sync.item import Item


class Fate(StrEnum):
    """The three things that can become of an item."""

    TRACK = "track"
    METADATA_ONLY = "metadata-only"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to become of one item, and why."""

    fate: Fate
    reason: str
    rule: str | None = None


Judge = Callable[[Item], Verdict]


def track_incoming(item: Item) -> Verdict:
    """Track incoming mail of the Inbox; drafts never."""
    if item.is_draft:
        return Verdict(Fate.SKIP, "draft")
    return Verdict(Fate.TRACK, "incoming mail of the Inbox")
