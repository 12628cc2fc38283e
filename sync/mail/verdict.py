"""What is to become of an item: the sync's answer, as a decision is the guard's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rules.engine.verdict import Fate
from sync.mail.item import Item

__all__ = ["Fate", "Judge", "Verdict", "track_incoming"]


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
