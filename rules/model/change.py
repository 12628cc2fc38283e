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


def _differ(a: object, b: object) -> bool:
    # True equals 1 in Python; as columns they are two things.
    return a is not b and (a != b or a.__class__ is not b.__class__)


@dataclass(frozen=True)
class Change:
    """What an actor did, or wants to do, to one record.

    `before` and `after` are keyed by column name without a root ("emailaddress"); a lookup column
    is two keys, ".id" and ".type". A column that is absent is empty. `before` is empty on create;
    `after` is `before` overlaid with what was sent. `sent` names the columns that were sent, which
    does not prove that they differ; `differing` names those whose value does.
    """

    table: str
    operation: str
    record_id: str
    before: Mapping[str, Value]
    after: Mapping[str, Value]
    sent: frozenset[str] = frozenset()
    request: Mapping[str, Value] = field(default_factory=lambda: NOTHING)
    differing: frozenset[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Once per change, because both what is needed and what is decided begin with it.
        before, after = self.before, self.after
        earlier = before.get
        names = [name for name, value in after.items() if value is not earlier(name)]
        if not before.keys() <= after.keys():
            names += before.keys() - after.keys()
        found = frozenset([name for name in names if _differ(earlier(name), after.get(name))])
        object.__setattr__(self, "differing", found)


def overlaid(
    table: str,
    operation: str,
    record_id: str,
    *,
    before: Mapping[str, Value],
    altered: Mapping[str, Value],
    sent: frozenset[str],
    request: Mapping[str, Value],
    differing: frozenset[str] | None = None,
) -> Change:
    """Return the change of `before` by what was altered: the quick way to what `Change` makes.

    `differing` is what `differing_of` said of the same columns, for a caller that asked already.
    """
    change = object.__new__(Change)
    # For this the class has no slots: put in one by one, frozen fields take three times as long.
    fields = {
        "table": table,
        "operation": operation,
        "record_id": record_id,
        "before": before,
        "after": {**before, **altered},
        "sent": sent,
        "request": request,
        "differing": differing_of(before, altered) if differing is None else differing,
    }
    object.__setattr__(change, "__dict__", fields)
    return change


def differing_of(before: Mapping[str, Value], altered: Mapping[str, Value]) -> frozenset[str]:
    """Return the columns that differ after `before` was altered: nothing else can."""
    found = []
    for name, value in altered.items():
        if _differ(before.get(name), value):
            found.append(name)
    return frozenset(found)


@dataclass(frozen=True, slots=True)
class Facts:
    """What was looked up for a decision, by full path ("actor.upn", "new.owner.upn").

    `values` holds what is known (`None`: known to be empty), `missing` why something is not known.
    A path in neither is not known either; both are errors of the rules that read it. `now` is the
    time of the decision, put in by whoever decides.
    """

    values: Mapping[str, Value] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)
    now: datetime | None = None


NO_FACTS = Facts(NOTHING, NO_REASONS)
