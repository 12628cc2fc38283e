"""What a revert writes: pure. Law 5 and docs/contract.md, "The webhook".

Exactly the guarded columns that the rejected change altered, each only if it still holds the
rejected value. The approval becomes Rejected when address, approval, owner or identity changed,
Pending for a hold, and is left alone otherwise. A rejected Create keeps its address.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Self

from guard.columns.compare import is_equal
from guard.columns.table import APPROVAL, PENDING, REJECTED, TABLES
from guard.known_good import held_before, stands
from guard.ledger.codec import storable
from guard.ledger.entry import MirrorRow
from guard.obligations.obligation import Payload
from rules.model.change import Value
from rules.replay.ledger_format import values_from


@dataclass(frozen=True, slots=True)
class Rejected(Payload):
    """A rejected or held change that was committed all the same: what a revert remembers.

    `before` and `after` are the guarded columns by their flat names, `altered` the names of those
    that the change altered. What an image leaves out was empty: Dataverse puts no empty column into
    one. Only where nothing at all is known of the row before does `before` say nothing; `unknown`
    names columns of which nothing is.
    """

    operation: str
    is_hold: bool
    before: Mapping[str, Value]
    after: Mapping[str, Value]
    altered: tuple[str, ...]
    unknown: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the change as the task keeps it."""
        return {
            "table": self.table,
            "record_id": self.record_id,
            "operation": self.operation,
            "is_hold": self.is_hold,
            "before": dict(storable(self.before)),
            "after": dict(storable(self.after)),
            "altered": list(self.altered),
            "unknown": list(self.unknown),
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Return the change that a task keeps."""
        columns = {
            "before": values_from(stored["before"]),
            "after": values_from(stored["after"]),
            "altered": tuple(stored["altered"]),
            "unknown": tuple(stored["unknown"]),
        }
        return cls(**{**stored, **columns})

    @property
    def approval(self) -> int:
        """Return what the approval becomes."""
        return PENDING if self.is_hold else REJECTED

    @property
    def is_sensitive(self) -> bool:
        """Return whether the approval has to change."""
        table = TABLES[self.table]
        if not table.holds_approval:
            return False
        return bool(table.sensitive.intersection(self.altered))


def not_standing(rejected: Rejected, copy: MirrorRow | None, *, now: datetime) -> Rejected:
    """Return the rejected change without what is firmly known to be held by right.

    A delivery that calls such values a change tells of none.
    """
    after = rejected.after
    left = tuple(n for n in rejected.altered if not stands(copy, n, after.get(n), now=now))
    return replace(rejected, altered=left)


def way_back(rejected: Rejected, copy: MirrorRow | None) -> dict[str, Value]:
    """Return what the altered columns go back to; one that nothing is known of is not in it.

    What is known good comes first, then what the delivery says stood there.
    """
    good = copy.known_good if copy is not None else {}
    back: dict[str, Value] = {}
    for name in rejected.altered:
        if name == APPROVAL:
            continue
        if name in good and not is_equal(good[name], rejected.after.get(name)):
            source: Mapping[str, Value] = good
        elif _is_told(rejected, name):
            source = rejected.before
        else:
            continue
        back[name] = source.get(name)
        if name.endswith(".id"):
            kind = f"{name.removesuffix('.id')}.type"
            back[kind] = source.get(kind)
    return back


def by_word_alone(
    rejected: Rejected, copy: MirrorRow | None, columns: Mapping[str, Value], *, now: datetime
) -> tuple[str, ...]:
    """Return which columns a delivery says were changed that held the same already before it."""
    return tuple(
        name
        for name in columns
        if name in rejected.altered
        and name != APPROVAL
        and held_before(copy, name, rejected.after.get(name), now=now)
    )


def restoration(
    rejected: Rejected, row: Mapping[str, Value], back: Mapping[str, Value]
) -> dict[str, Value]:
    """Return what to write into the row as it is now; nothing when it was mended already."""
    columns: dict[str, Value] = {}
    for name in rejected.altered:
        # What no longer holds the rejected value was mended by somebody, and is theirs.
        if name in back and is_equal(row.get(name), rejected.after.get(name)):
            columns[name] = back[name]
            if name.endswith(".id"):
                kind = f"{name.removesuffix('.id')}.type"
                columns[kind] = back.get(kind)
    if _approval_changes(rejected, row):
        columns[APPROVAL] = rejected.approval
    return columns


def _is_told(rejected: Rejected, name: str) -> bool:
    """Return whether the delivery says what stood there before."""
    if rejected.operation == "create" or not rejected.before or name in rejected.unknown:
        return False
    # Every row has an owner, so an image without one proves nothing.
    return name in rejected.before or name != "ownerid.id"


def _approval_changes(rejected: Rejected, row: Mapping[str, Value]) -> bool:
    if not rejected.is_sensitive or row.get(APPROVAL) == rejected.approval:
        return False
    table = TABLES[rejected.table]
    # A newer edit may have mended the row meanwhile; its approval is then not ours to touch.
    sensitive = table.sensitive.intersection(rejected.altered)
    if rejected.operation == "create":
        sensitive = sensitive & {table.address, APPROVAL} or sensitive
    return any(is_equal(row.get(name), rejected.after.get(name)) for name in sensitive)
