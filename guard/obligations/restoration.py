"""What a revert writes: pure. Law 5 and docs/contract.md, "The webhook".

Exactly the guarded columns that the rejected change altered, each only if it still holds the
rejected value. The approval becomes Rejected when address, approval, owner or identity changed,
Pending for a hold, and is left alone otherwise. A rejected Create keeps its address.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from guard.columns.compare import is_equal
from guard.columns.table import APPROVAL, PENDING, REJECTED, TABLES
from guard.ledger.codec import storable
from guard.obligations.obligation import Payload
from rules.model.change import Value
from rules.replay.ledger_format import values_from


@dataclass(frozen=True, slots=True)
class Rejected(Payload):
    """A rejected or held change that was committed all the same: what a revert remembers.

    `before` and `after` are the guarded columns by their flat names, `altered` the names of those
    that the change altered. What an image leaves out was empty: Dataverse puts no empty column into
    one. Only where nothing at all is known of the row before does `before` say nothing.
    """

    operation: str
    is_hold: bool
    before: Mapping[str, Value]
    after: Mapping[str, Value]
    altered: tuple[str, ...]

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
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Return the change that a task keeps."""
        columns = {
            "before": values_from(stored["before"]),
            "after": values_from(stored["after"]),
            "altered": tuple(stored["altered"]),
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
        sensitive = table.sensitive
        return self.operation == "create" or bool(sensitive.intersection(self.altered))


def restoration(rejected: Rejected, row: Mapping[str, Value]) -> dict[str, Value]:
    """Return what to write into the row as it is now; nothing when it was mended already."""
    columns: dict[str, Value] = {}
    for name in rejected.altered:
        if name == APPROVAL or not _is_known(rejected, name):
            continue
        # What no longer holds the rejected value was mended by somebody, and is theirs.
        if is_equal(row.get(name), rejected.after.get(name)):
            columns[name] = rejected.before.get(name)
            if name.endswith(".id"):
                kind = f"{name.removesuffix('.id')}.type"
                columns[kind] = rejected.before.get(kind)
    if _approval_changes(rejected, row):
        columns[APPROVAL] = rejected.approval
    return columns


def _is_known(rejected: Rejected, name: str) -> bool:
    """Return whether there is a value to go back to."""
    if rejected.operation == "create" or not rejected.before:
        return False
    # Every row has an owner, so an image without one proves nothing.
    return name in rejected.before or name != "ownerid.id"


def _approval_changes(rejected: Rejected, row: Mapping[str, Value]) -> bool:
    if not rejected.is_sensitive or row.get(APPROVAL) == rejected.approval:
        return False
    table = TABLES[rejected.table]
    if rejected.operation == "create":
        return is_equal(row.get(table.address), rejected.after.get(table.address))
    # A newer edit may have mended the row meanwhile; its approval is then not ours to touch.
    return any(
        is_equal(row.get(name), rejected.after.get(name))
        for name in table.sensitive.intersection(rejected.altered)
    )
