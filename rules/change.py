"""A change of a record as the rules see it, and the facts looked up for it.

Both are plain values: nothing here reads a clock, a network or a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import TypeAlias

Value: TypeAlias = "str | int | float | bool | datetime | tuple[Value, ...] | None"
"""What a column or a fact may hold; a choice is its number, `None` is known to be empty."""

NOTHING: Mapping[str, Value] = MappingProxyType({})
NO_REASONS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Change:
    """What an actor did, or wants to do, to one record.

    `before` and `after` are keyed by column name without a root ("emailaddress"); a lookup column
    is two keys, ".id" and ".type". A column that is absent is empty. `before` is empty on create;
    `after` is `before` overlaid with what was sent. `sent` names the columns that were sent, which
    does not prove that they differ.
    """

    table: str
    operation: str
    record_id: str
    before: Mapping[str, Value]
    after: Mapping[str, Value]
    sent: frozenset[str] = frozenset()
    request: Mapping[str, Value] = field(default_factory=lambda: NOTHING)


@dataclass(frozen=True, slots=True)
class Facts:
    """What was looked up for a decision, by full path ("actor.upn", "new.owner.upn").

    `values` holds what is known (`None`: known to be empty), `missing` why something is not known.
    A path in neither is not known either; both are errors of the rules that read it.
    """

    values: Mapping[str, Value] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)


NO_FACTS = Facts(NOTHING, NO_REASONS)
