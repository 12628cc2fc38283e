"""A decision as the ledger keeps it: a public part, and a private part behind a salted digest.

Personal values (columns, facts, messages) stand in the private part alone, so that they can be
masked without breaking the chain (law 14). The public part is the plain fields of an entry and a
text with the rest of it; a decision's link in its chain is made of both.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from guard.ledger.codec import bytes_of
from guard.ledger.parked import NewHold, Released, Settled
from kernel.approvals import WithdrawalCause
from kernel.digest import sha256_hex
from kernel.tables import microseconds
from kernel.tasks import ORDINARY_PLACE, TaskPlace
from rules.model.change import Value
from rules.replay.ledger_format import values_from, with_after

_SALT_BYTES = 16
_salts: list[str] = []
if hasattr(os, "register_at_fork"):
    # A forked process must not use its parent's.
    os.register_at_fork(after_in_child=_salts.clear)


@dataclass(frozen=True, slots=True)
class Entry:
    """One decision to be recorded.

    `public` and `private` hold what docs/contract.md and docs/answers.md name beside the fields;
    the row after a change stands in `private` as `altered`, its differences from `before`. `status`
    is the HTTP status that the delivery gets, kept for identical deliveries.
    """

    id: str
    decided_at: datetime
    decision: str
    cause: str
    table: str
    record_id: str
    status: int
    key: str | None
    public: Mapping[str, Any]
    private: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Sealed:
    """An entry ready to be stored: its plain fields and its texts.

    `fields` are id, moment in microseconds, decision, cause, table, record, status and delivery
    key; the entry's link in the chain is made of `stated`.
    """

    entry: Entry
    fields: tuple[str | int | None, ...]
    public: str
    commitment: str
    private: str
    salt: str
    stated: bytes


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the ledger holds: this decision, or the earlier one of an identical delivery.

    `private` is None when it was masked.
    """

    id: str
    decided_at: datetime
    decision: str
    cause: str
    table: str
    record_id: str
    status: int
    public: Mapping[str, Any]
    private: Mapping[str, Any] | None
    is_repeat: bool = False

    @property
    def before(self) -> dict[str, Value]:
        """Return the row before the change, as far as it is recorded."""
        return values_from((self.private or {}).get("before") or {})

    @property
    def after(self) -> dict[str, Value]:
        """Return the row after the change; empty when it was masked or no change was judged."""
        return values_from(with_after(self.private or {}).get("after") or {})


@dataclass(frozen=True, slots=True)
class NewTask:
    """An obligation of a decision."""

    kind: str
    key: str
    payload: Mapping[str, Any]
    place: TaskPlace = ORDINARY_PLACE


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """Approvals that end with a decision: of the mailbox itself, or of all that a row owns.

    With `unless_address` an approval for this very address, object owner unchanged, is kept.
    """

    cause: WithdrawalCause
    reason: str
    record_id: str | None = None
    owner_id: str | None = None
    unless_address: str | None = None
    unless_owner: str | None = None


@dataclass(frozen=True, slots=True)
class MirrorRow:
    """The guard's copy of a row, made of its own reads alone, and which of it is known good.

    `columns` are the guarded columns as they were read; `read_at` is when, by our own clock. `good`
    names those whose values a decision allowed or a scan judged, by their flat names; it holds True
    for those that a decision did. `rested` says that the row had been left alone for long by then.
    `name` is what the row is called, for people. `revision` is that of the copy which this one was
    made from: it replaces that one and no other.
    """

    table: str
    record_id: str
    columns: Mapping[str, Value]
    read_at: datetime
    good: Mapping[str, bool] = field(default_factory=dict)
    decision_id: str | None = None
    rested: bool = False
    name: str | None = None
    revision: int = 0

    @property
    def known_good(self) -> dict[str, Value]:
        """Return the columns that are known good; a lookup with its table beside its id."""
        types = {f"{name.removesuffix('.id')}.type" for name in self.good if name.endswith(".id")}
        return {
            name: value
            for name, value in self.columns.items()
            if name in self.good or name in types
        }


@dataclass(frozen=True, slots=True)
class Effects:
    """What becomes durable in the same transaction as the decision.

    Of holds: the change that is `parked`, the hold that an approver `released` by this decision,
    the one that is `settled` with it.
    """

    tasks: tuple[NewTask, ...] = ()
    withdrawals: tuple[Withdrawal, ...] = ()
    mirror: MirrorRow | None = None
    parked: NewHold | None = None
    released: Released | None = None
    settled: Settled | None = None

    def __bool__(self) -> bool:
        # Most decisions cause nothing, and are asked for each commit.
        return self is not NO_EFFECTS and bool(
            self.tasks
            or self.withdrawals
            or self.mirror
            or self.parked
            or self.released
            or self.settled
        )


NO_EFFECTS = Effects()


@dataclass(frozen=True, slots=True)
class Verification:
    """How a walk over the ledger ended; `first_bad_id` is None when everything is whole."""

    checked: int
    first_bad_id: str | None = None
    reason: str | None = None
    chains: int = 0
    masked: int = 0
    acts: int = 0
    approvals: int = 0
    anchors: int = 0
    pruned: int = 0

    @property
    def is_whole(self) -> bool:
        """Return whether nothing was altered and nothing is missing."""
        return self.reason is None


def commitment_to(salt: str, private: bytes) -> str:
    """Return the digest by which the public part commits to the private one."""
    return sha256_hex(salt.encode() + b"\n" + private)


def stated_by(fields: tuple[str | int | None, ...], commitment: str, public: bytes) -> bytes:
    """Return all that the public part states, as the one text that is digested."""
    return b"%b\n%b\n%b" % (bytes_of(fields), commitment.encode(), public)


def stated_in(row: Any) -> bytes:
    """Return what a row of decisions states, its moment as it is stored."""
    fields = (
        row.id,
        row.decided_at,
        row.decision,
        row.cause,
        row.table_name,
        row.record_id,
        row.status,
        row.delivery_key,
    )
    return stated_by(fields, row.commitment, row.public.encode())


def link(chain: str, place: int, previous: str, stated: bytes) -> str:
    """Return the digest that ties a decision to its place and to the decision before it."""
    return sha256_hex(f"{chain}\n{place}\n{previous}\n".encode() + stated)


def _salt() -> str:
    """Return 128 random bits; they are drawn for many at once, since each draw is a system call."""
    try:
        return _salts.pop()
    except IndexError:
        many = os.urandom(_SALT_BYTES * 128).hex()
        digits = 2 * _SALT_BYTES
        _salts.extend(many[at : at + digits] for at in range(digits, len(many), digits))
        return many[:digits]


def sealed(entry: Entry) -> Sealed:
    """Return the entry as text, its private part under a fresh salt."""
    salt, public, private = _salt(), bytes_of(entry.public), bytes_of(entry.private)
    commitment = commitment_to(salt, private)
    fields = (
        entry.id,
        microseconds(entry.decided_at),
        entry.decision,
        entry.cause,
        entry.table,
        entry.record_id,
        entry.status,
        entry.key,
    )
    stated = stated_by(fields, commitment, public)
    return Sealed(entry, fields, public.decode(), commitment, private.decode(), salt, stated)


def recorded(entry: Entry) -> Recorded:
    """Return a fresh entry as recorded."""
    return Recorded(
        entry.id,
        entry.decided_at,
        entry.decision,
        entry.cause,
        entry.table,
        entry.record_id,
        entry.status,
        entry.public,
        entry.private,
    )


def iso(moment: datetime) -> str:
    """Return a moment as ISO 8601 text in UTC."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
