"""The plan of a page: what to remember and what to do, before anything is done."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sync.model.link import Link
from sync.model.verdict import Verdict


class IntentKind(StrEnum):
    """What a planned task does."""

    CREATE = "create"
    """Carries an item to the other side: what that takes is the workload's."""
    VERIFY = "verify"
    """Learns where an item is that is said to have left its folder."""
    SUPPLEMENT = "supplement"
    """Brings what could not be had when the item was carried over, a bounded number of times."""


@dataclass(frozen=True, slots=True)
class Intent:
    """One effect to carry out for one item, as it was in that version."""

    kind: IntentKind
    item_id: str
    version: str | None = None


@dataclass(frozen=True, slots=True)
class SetAside:
    """One item for the quarantine, with its reason."""

    item_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What a page comes to. `links` are new or changed ones; `known` were listed again."""

    links: tuple[Link, ...] = ()
    verdicts: tuple[tuple[str, Verdict], ...] = ()
    intents: tuple[Intent, ...] = ()
    set_aside: tuple[SetAside, ...] = ()
    known: tuple[str, ...] = ()
