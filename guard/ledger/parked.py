"""What is held, as it is kept: the change, who asked for it, what was agreed to, how it ended.

What the change was judged on stands in the record of its decision, and nowhere twice: the chain of
the ledger proves it unaltered. A hold keeps what it takes to know the same change again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from guard.columns.compare import differing, guarded_part
from guard.columns.table import APPROVAL
from guard.ledger.codec import storable, text_of
from kernel.digest import sha256_hex
from kernel.words import DocumentedWord
from rules.model.change import Value
from rules.operators.fields import fold
from rules.replay.ledger_format import values_from

# The source, as records name it, of what is decided because an approver releases it.
FROM_RELEASE = "release"


class HoldState(DocumentedWord):
    """Where a hold stands."""

    OPEN = "open", "It waits for an approver."
    APPROVED = "approved", "An approver released it, and what follows from that is not done yet."
    USED = "used", "The requester made the edit with the pass, and the guard let it through."
    APPLIED = "applied", "The guard wrote the columns."
    REFUSED = "refused", "A person refused it, or by now a rule rejects the change."
    EXPIRED = "expired", "Nobody released it in time, or what was released was not done in time."
    SUPERSEDED = "superseded", "The row is no longer as it was when the change was asked for."


WAITING = (HoldState.OPEN, HoldState.APPROVED)
DONE = (HoldState.USED, HoldState.APPLIED)


class Settlement(DocumentedWord):
    """What releasing a hold leads to."""

    PASS = "pass", "The requester makes the edit once more, and it is let through."
    WRITE = "write", "The guard writes the columns itself."


class NotParked(DocumentedWord):
    """Why a change that a rule holds waits for nobody."""

    NOBODY = "nobody", "Nobody is known to have asked for it."
    TOO_LARGE = "too-large", "It is larger than a hold may be."
    TOO_MANY_OF_REQUESTER = "too-many-of-requester", "Its requester has too many open holds."
    TOO_MANY = "too-many", "There are too many open holds."


@dataclass(frozen=True)
class HeldChange:
    """A change of one requester: the guarded columns of the row before and after.

    `on_behalf_by` acted in the requester's name, if somebody did. Compared at most once, for which
    the class has no slots.
    """

    table: str
    record_id: str
    operation: str
    before: Mapping[str, Value]
    after: Mapping[str, Value]
    requester_id: str
    on_behalf_by: str | None = None

    @classmethod
    def of(
        cls,
        table: str,
        record_id: str,
        operation: str,
        rows: tuple[Mapping[str, Value], Mapping[str, Value]],
        people: tuple[str, str | None],
    ) -> HeldChange:
        """Return the change that leads from one row to the other, as these people made it."""
        before, after = rows
        return cls(
            table,
            record_id,
            operation,
            guarded_part(table, before),
            guarded_part(table, after),
            *people,
        )

    @cached_property
    def altered(self) -> tuple[str, ...]:
        """Return the flat names of the guarded columns that it alters."""
        return differing(self.table, self.before, self.after)

    @property
    def settlement(self) -> Settlement:
        """Return what releasing it leads to: the guard never writes an approval, nor a new row."""
        if self.operation == "create" or APPROVAL in self.altered:
            return Settlement.PASS
        return Settlement.WRITE

    @property
    def text(self) -> str:
        """Return the rows before and after, as they are kept."""
        return text_of({"before": storable(self.before), "after": storable(self.after)})

    @cached_property
    def key(self) -> str:
        """Return what the same change of the same requester has in common, whatever the case.

        What the approval was is no part of it: a hold that was committed sets it back.
        """
        began = {n: self.before.get(n) for n in self.altered if n != APPROVAL}
        kept = APPROVAL if APPROVAL not in self.altered else None
        said = [
            self.table,
            "" if self.operation == "create" else self.record_id,
            self.operation,
            self.requester_id,
            self.on_behalf_by,
            sorted(self.altered),
            _folded(began),
            _folded({n: v for n, v in self.after.items() if n != kept}),
        ]
        return sha256_hex(text_of(said).encode())


def _folded(columns: Mapping[str, Value]) -> list[tuple[str, Any]]:
    """Return columns as they are compared: texts without case, empty ones left out."""
    known = {n: fold(v) if isinstance(v, str) else v for n, v in columns.items()}
    return sorted((n, v) for n, v in storable(known).items() if v not in (None, ""))


def change_from(
    text: str,
    *,
    table: str,
    record_id: str,
    operation: str,
    requester_id: str,
    on_behalf_by: str | None,
) -> HeldChange:
    """Return the change that a hold keeps. Raises ValueError or KeyError for an altered one."""
    rows = json.loads(text)
    return HeldChange(
        table,
        record_id,
        operation,
        values_from(rows["before"]),
        values_from(rows["after"]),
        requester_id,
        on_behalf_by,
    )


@dataclass(frozen=True, slots=True)
class NewHold:
    """A change to be parked, or to join the open hold of the same change.

    `identities` are the Entra objects of whoever asked, by the id of their user row, as they were
    when it was asked for; None where that is not known.
    """

    id: str
    change: HeldChange
    rules: tuple[str, ...]
    identities: Mapping[str, str | None]
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Hold:
    """A change that was parked, and what became of it.

    `asked` counts how often it was asked for; `decision_id` is the newest decision that held it,
    with the evidence. `answered_at` to `reason` tell of whoever released or refused it,
    `usable_until` till when what was released can be done; `settled_at` is when it ended, by
    `settled_by` (a decision) and on `settled_record_id`, `settled_reason` why, where that is to be
    said.
    """

    id: str
    state: HoldState
    change: HeldChange
    rules: tuple[str, ...]
    identities: Mapping[str, str | None]
    decision_id: str
    asked: int
    opened_at: datetime
    asked_at: datetime
    ends_at: datetime
    answered_at: datetime | None = None
    answered_by: str | None = None
    answered_object_id: str | None = None
    reason: str | None = None
    release_decision_id: str | None = None
    usable_until: datetime | None = None
    settled_at: datetime | None = None
    settled_by: str | None = None
    settled_record_id: str | None = None
    settled_reason: str | None = None

    def state_at(self, now: datetime) -> HoldState:
        """Return where it stands: what has run out is expired, whether or not that is noted yet."""
        is_late = self.state is HoldState.OPEN and self.ends_at <= now
        until = self.usable_until
        if self.state is HoldState.APPROVED and until is not None and until <= now:
            is_late = True
        return HoldState.EXPIRED if is_late else self.state


@dataclass(frozen=True, slots=True)
class Agreement:
    """What an approver agreed to: this change, as far as these rules hold it.

    `until` is till when it may be done; `spent_at` when it was, on `spent_on`.
    """

    hold_id: str
    change: HeldChange
    rules: tuple[str, ...]
    until: datetime
    spent_at: datetime | None = None
    spent_on: str | None = None


@dataclass(frozen=True, slots=True)
class Released:
    """That an approver released a hold, for the transaction of the decision by which they did.

    `rules` are those that hold the change now; `name` and `object_id` say who the approver is.
    """

    hold_id: str
    name: str
    object_id: str
    reason: str
    rules: tuple[str, ...]
    usable_until: datetime


@dataclass(frozen=True, slots=True)
class Settled:
    """That a hold ends, in which states it may still be, and in which it is then."""

    hold_id: str
    since: tuple[HoldState, ...]
    state: HoldState
    record_id: str
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class OpenHolds:
    """The open hold of a change, if there is one, and how many its requester and all have."""

    same: str | None = None
    of_requester: int = 0
    in_all: int = 0


NO_HOLDS = OpenHolds()


@dataclass(frozen=True, slots=True)
class HoldCounts:
    """How many holds are open, and since when the oldest is."""

    opened: int = 0
    oldest: datetime | None = field(default=None)
