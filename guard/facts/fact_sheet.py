"""What is asked for one decision, and what came back: known values, reasons for the unknown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from guard.receive.ancestors import Ancestor
from kernel.errors import GuardError
from rules.model.change import Change, Facts, Value

UNREADABLE_OWNER = "the owner's row belongs to the same transaction"


@dataclass(frozen=True, slots=True)
class Question:
    """Which facts a decision needs.

    `is_synchronous` forbids reading rows of the change's own transaction: the primary row, on
    Create its owner, the actor when that is the primary row. `ancestors` hold what the callers of
    the transaction sent.
    """

    change: Change
    needed: frozenset[str]
    actor_id: str | None
    is_synchronous: bool
    ancestors: tuple[Ancestor, ...] = ()

    def needs(self, root: str) -> frozenset[str]:
        """Return the needed names under a root, without it."""
        return frozenset(p[len(root) :] for p in self.needed if p.startswith(root))

    def ancestor(self, table: str, record_id: str) -> Mapping[str, Value] | None:
        """Return what the transaction sent about a row, if it did."""
        for one in self.ancestors:
            if one.table == table and one.record_id == record_id:
                return one.target
        return None


def reason_of(error: GuardError) -> str:
    """Return why a look-up failed, short enough for a finding."""
    return error.message[:200]


@dataclass(slots=True)
class FactSheet:
    """The facts of one decision while they come in, each with its source.

    `unanswered` is why a service gave no answer, the last time that one didn't; `not_readable_yet`
    the facts that hang on an owner's row of the transaction that is being decided;
    `actor_is_nobody` says that Dataverse was asked and has no such user.
    """

    values: dict[str, Value] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    unanswered: str | None = None
    not_readable_yet: set[str] = field(default_factory=set)
    actor_is_nobody: bool = False

    def know(self, path: str, value: Value, source: str) -> None:
        """Keep a fact."""
        self.values[path] = value
        self.sources[path] = source

    def lack(self, path: str, reason: str) -> None:
        """Keep why a fact isn't known."""
        if path not in self.values:
            self.missing[path] = reason

    def lack_yet(self, path: str) -> None:
        """Keep that a fact can't be read before the transaction has ended."""
        self.lack(path, UNREADABLE_OWNER)
        self.not_readable_yet.add(path)

    def lack_answer(self, paths: Iterable[str], error: GuardError) -> None:
        """Keep that these facts were asked for, and why no answer came."""
        reason = reason_of(error)
        self.unanswered = reason if error.transient else self.unanswered
        for path in paths:
            self.lack(path, reason)

    def disown(self, path: str, reason: str) -> None:
        """Take back a fact that turned out to mean nothing."""
        self.values.pop(path, None)
        self.missing[path] = reason

    def complete(self, needed: frozenset[str], *, reason: str) -> None:
        """Give every needed fact that is still open the same reason."""
        for path in needed:
            if path not in self.values:
                self.missing.setdefault(path, reason)

    def facts(self, needed: frozenset[str]) -> Facts:
        """Return what was needed."""
        return Facts(
            {path: self.values[path] for path in needed if path in self.values},
            {path: why for path, why in self.missing.items() if path in needed},
        )
