"""What failing a rule can do: one language, two sets of effects.

A record is let through, held or rejected; a message is tracked, tracked without its content, or
skipped. The catalogue says of each entity which set is its own. Within a set the effects are
ordered from the strongest to the weakest, and the two sets are equally long: what holds a record
is as strong among records as what keeps a message to its metadata among messages.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Effect = Literal["reject", "hold", "skip", "metadata-only"]


@dataclass(frozen=True, slots=True)
class EffectSet:
    """The effects that rules on an entity may have, the strongest first, and what is left without.

    A rule that names no effect has the strongest; an evaluation error counts as the strongest too.
    """

    effects: tuple[Effect, Effect]
    default: str


RECORDS: Final = EffectSet(("reject", "hold"), "allow")
MESSAGES: Final = EffectSet(("skip", "metadata-only"), "track")
EFFECT_SETS: Final = (RECORDS, MESSAGES)

VERDICTS: Final = {"reject": "skip", "hold": "metadata-only", "warn": "track", "allow": "track"}
"""What the outcome of a decision is called when it is about a message."""

OUTCOMES: Final = {"skip": "reject", "metadata-only": "hold", "track": "allow"}
"""The outcome of a decision that stands for a verdict."""
EFFECTS: Final = tuple(effect for one in EFFECT_SETS for effect in one.effects)
