"""What is to become of an item: the sync's answer, as a decision is the guard's."""

from __future__ import annotations

from dataclasses import dataclass

from rules.engine.verdict import Fate

__all__ = ["Fate", "Verdict"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to become of one item, and why; `rule` is "policy/rule" when a policy said so."""

    fate: Fate
    reason: str
    rule: str | None = None
