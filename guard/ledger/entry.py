"""A decision as the ledger keeps it: a public part, and a private part behind a salted digest.

Personal values (columns, facts, messages) stand in the private part alone, so that they can be
masked without breaking the chain (law 14).
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from guard.ledger.codec import text_of
from kernel.digest import sha256_hex
from rules.change import Value

VERSION = 1
_SALT_BYTES = 16
_salts: list[str] = []
if hasattr(os, "register_at_fork"):
    # A forked process must not use its parent's.
    os.register_at_fork(after_in_child=_salts.clear)


@dataclass(frozen=True, slots=True)
class Entry:
    """One decision to be recorded.

    `public` and `private` hold what docs/contract.md and docs/answers.md name; `status` is the HTTP
    status that the delivery gets, kept for identical deliveries.
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
    """An entry as text, ready to be chained and stored."""

    entry: Entry
    public: str
    private: str
    salt: str


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the ledger holds: this decision, or the earlier one of an identical delivery.

    `private` is None when it was masked.
    """

    id: str
    decided_at: datetime
    decision: str
    cause: str
    status: int
    public: Mapping[str, Any]
    private: Mapping[str, Any] | None
    is_repeat: bool = False


@dataclass(frozen=True, slots=True)
class NewTask:
    """An obligation of a decision."""

    kind: str
    key: str
    payload: Mapping[str, Any]
    shard: int = 0


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """Approvals that end with a decision: of the mailbox itself, or of all that a row owns.

    With `unless_address` an approval for this very address, object owner unchanged, is kept.
    """

    reason: str
    record_id: str | None = None
    owner_id: str | None = None
    unless_address: str | None = None
    unless_owner: str | None = None


@dataclass(frozen=True, slots=True)
class MirrorRow:
    """The last known good guarded columns of a row; the newest `changed_at` wins.

    `only` names the columns to take over into a copy that exists. A delivery proves no more than
    the change that was judged: its word on what stood there before is not believed.
    """

    table: str
    record_id: str
    columns: Mapping[str, Value]
    changed_at: datetime
    decision_id: str | None = None
    only: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Effects:
    """What becomes durable in the same transaction as the decision."""

    tasks: tuple[NewTask, ...] = ()
    withdrawals: tuple[Withdrawal, ...] = ()
    mirror: MirrorRow | None = None

    def __bool__(self) -> bool:
        return bool(self.tasks or self.withdrawals or self.mirror)


NO_EFFECTS = Effects()


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a walk over the ledger ended; `first_bad_id` is None when everything is whole."""

    checked: int
    first_bad_id: str | None = None
    reason: str | None = None
    chains: int = 0
    masked: int = field(default=0)

    @property
    def is_whole(self) -> bool:
        """Return whether nothing was altered and nothing is missing."""
        return self.reason is None


def private_digest(salt: str, private: str) -> str:
    """Return the digest by which the public part commits to the private one."""
    return sha256_hex(f"{salt}\n{private}".encode())


def chain_digest(chain: str, seq: int, previous: str, public: str) -> str:
    """Return a decision's link in its chain."""
    return sha256_hex(f"{chain}\n{seq}\n{previous}\n{public}".encode())


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
    salt = _salt()
    private = text_of(_folded(entry.private))
    public = text_of(
        {
            "v": VERSION,
            "id": entry.id,
            "decided_at": iso(entry.decided_at),
            "decision": entry.decision,
            "cause": entry.cause,
            "table": entry.table,
            "record_id": entry.record_id,
            "status": entry.status,
            "key": entry.key,
            **entry.public,
            "private": private_digest(salt, private),
        }
    )
    return Sealed(entry, public, private, salt)


def _folded(private: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the private part with `after` as its differences from `before`: half the bytes."""
    after = private.get("after")
    if after is None:
        return private
    before = private["before"]
    folded = {name: value for name, value in private.items() if name != "after"}
    folded["altered"] = {
        name: value for name, value in after.items() if name not in before or before[name] != value
    }
    return folded


def unfolded(text: str) -> dict[str, Any]:
    """Return the private part that a stored text holds, with `after` whole."""
    private: dict[str, Any] = json.loads(text)
    if "altered" in private:
        private["after"] = {**private["before"], **private.pop("altered")}
    return private


def recorded(entry: Entry) -> Recorded:
    """Return a fresh entry as recorded."""
    return Recorded(
        entry.id,
        entry.decided_at,
        entry.decision,
        entry.cause,
        entry.status,
        entry.public,
        entry.private,
    )


def recorded_from(public: str, private: str | None, *, is_repeat: bool = False) -> Recorded:
    """Return what the stored texts say."""
    stated: dict[str, Any] = json.loads(public)
    return Recorded(
        id=stated["id"],
        decided_at=datetime.fromisoformat(stated["decided_at"]),
        decision=stated["decision"],
        cause=stated["cause"],
        status=stated["status"],
        public=stated,
        private=None if private is None else unfolded(private),
        is_repeat=is_repeat,
    )


def iso(moment: datetime) -> str:
    """Return a moment as ISO 8601 text in UTC."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
