"""A change of a guarded row, as everything behind the receiver passes it on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from guard.columns.compare import differing
from guard.columns.table import APPROVAL, APPROVED, TABLES, GuardedTable
from rules.model.change import Change


@dataclass(frozen=True)
class GuardedChange:
    """A change of a row of a guarded table, with which guarded columns it altered.

    That is asked by several that don't know of each other (own writes, the reconciliation, what
    follows from a decision) and compared at most once. For the memory of it the class has no slots.

    `unknown` names columns of which nobody knows what they held before: they count as altered, and
    there is nothing that they could go back to.
    """

    change: Change
    unknown: frozenset[str] = frozenset()

    @property
    def table(self) -> GuardedTable:
        """Return the table that the row is in."""
        return TABLES[self.change.table]

    @property
    def record_id(self) -> str:
        """Return the id of the row; empty when a Create doesn't know it yet."""
        return self.change.record_id

    @cached_property
    def altered(self) -> tuple[str, ...]:
        """Return the flat names of the guarded columns whose values it changed.

        By `compare.is_equal`, not as the rules compare: for them a text in another case differs.
        """
        return differing(self.change.table, self.change.before, self.change.after)

    @property
    def is_sensitive(self) -> bool:
        """Return whether it altered address, approval, owner or identity."""
        return not self.table.sensitive.isdisjoint(self.altered)

    @property
    def alters_evidence(self) -> bool:
        """Return whether it altered anything on which an approval rests."""
        return not self.table.evidence.isdisjoint(self.altered)

    @property
    def alters_identity(self) -> bool:
        """Return whether the row is another Entra object's now."""
        return not self.table.identity.isdisjoint(self.altered)

    @property
    def changes_identity(self) -> bool:
        """Return whether a row that was somebody's is another Entra object's now."""
        return self.change.operation != "create" and self.alters_identity

    @property
    def becomes_approved(self) -> bool:
        """Return whether it made the approval Approved."""
        return (
            self.change.after.get(APPROVAL) == APPROVED
            and self.change.before.get(APPROVAL) != APPROVED
        )
