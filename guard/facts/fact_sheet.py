"""What is asked for one decision, and what came back: known values, reasons for the unknown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from guard.facts import age
from guard.receive.ancestors import Ancestor
from kernel.errors import GuardError
from kernel.words import DocumentedWord
from rules.model.change import Change, Facts, Value

UNREADABLE_OWNER = "the owner's row belongs to the same transaction"


class Absence(DocumentedWord):
    """Why a fact isn't known, for whatever is decided by it; the reason beside it is for people."""

    OTHER = "other", "Nothing more is to be concluded from it."
    SAME_TRANSACTION = "same-transaction", "After the commit its row can be read."
    NO_SUCH_USER = "no-such-user", "Dataverse answered that there is no such user."


@dataclass(frozen=True, slots=True)
class Question:
    """Which facts a decision needs.

    `is_synchronous` forbids reading rows of the change's own transaction: the primary row, on
    Create its owner, the actor when that is the primary row. `ancestors` hold what the callers of
    the transaction sent, `on_behalf_by` who acted in the name of another, if somebody.
    """

    change: Change
    needed: frozenset[str]
    actor_id: str | None
    is_synchronous: bool
    ancestors: tuple[Ancestor, ...] = ()
    on_behalf_by: str | None = None

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
    """The facts of one decision while they come in, by their full path ("actor.upn").

    `sources` says where each known value comes from, `ages` how many seconds old it is where it was
    not looked up for this decision (`age`). `missing` holds for people why another isn't known,
    `absences` the same for programs. `unanswered` is why a service gave no answer, the last time
    that one didn't.
    """

    values: dict[str, Value] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    absences: dict[str, Absence] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    ages: dict[str, float] = field(default_factory=dict)
    unanswered: str | None = None

    def know(self, path: str, value: Value, source: str) -> None:
        """Keep a fact."""
        self.values[path] = value
        self.sources[path] = source
        seconds = round(age.oldest(), 3)
        if seconds > 0.0:
            self.ages[path] = seconds
        elif self.ages:
            self.ages.pop(path, None)

    def lack(self, path: str, reason: str, absence: Absence = Absence.OTHER) -> None:
        """Keep why a fact isn't known; one that is known already stays so."""
        if path not in self.values:
            self.missing[path] = reason
            self.absences[path] = absence

    def lack_answer(self, paths: Iterable[str], error: GuardError) -> None:
        """Keep that these facts were asked for, and why no answer came.

        Only what may pass by itself counts as unanswered: a refusal is an answer.
        """
        reason = reason_of(error)
        self.unanswered = reason if error.transient else self.unanswered
        for path in paths:
            self.lack(path, reason)

    def retract(self, path: str, reason: str) -> None:
        """Take back a fact that turned out to mean nothing."""
        self.values.pop(path, None)
        self.lack(path, reason)

    def complete(self, needed: frozenset[str], *, reason: str) -> None:
        """Give every needed fact that is still open the same reason."""
        for path in needed:
            if path not in self.missing:
                self.lack(path, reason)

    def facts(self, needed: frozenset[str]) -> Facts:
        """Return what was needed."""
        return Facts(
            {path: self.values[path] for path in needed if path in self.values},
            {path: why for path, why in self.missing.items() if path in needed},
        )
