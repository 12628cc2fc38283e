"""Policies, rules and exceptions as values, resolved for one table each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from rules.model.catalogue import FieldReference
from rules.model.effects import Effect
from rules.policy.conditions import Condition, Location

SEVERITIES: Final = ("info", "low", "medium", "high", "critical")
MODES: Final = ("off", "audit", "warn", "enforce")
ON_ERROR: Final = ("reject", "allow")
OPERATIONS: Final = ("create", "update", "delete")


@dataclass(frozen=True, slots=True)
class Message:
    """A text with holes; `pieces` alternates fixed text and what fills a hole."""

    text: str
    pieces: tuple[str | FieldReference, ...]


@dataclass(frozen=True, slots=True)
class ReleaseTerms:
    """Who may release what a rule holds, and how long it waits for them.

    `approvers` are persons by object id, sign-in name or address, `entra_roles` directory roles by
    the id of their template; with neither, any approver may. `hours` is None where the guard's own
    term holds. `named_list` is the list that names the approvers, if one does.
    """

    approvers: tuple[str, ...] = ()
    entra_roles: tuple[str, ...] = ()
    hours: int | None = None
    named_list: str | None = None

    @property
    def names_somebody(self) -> bool:
        """Return whether not every approver may release it."""
        return bool(self.approvers or self.entra_roles)

    @property
    def words(self) -> str:
        """Return who may release it, and till when, for people."""
        roles = [f"whoever has the Entra role {role}" for role in self.entra_roles]
        who = ", ".join((*self.approvers, *roles)) or "any approver"
        return who if self.hours is None else f"{who}; within {self.hours} hours"


ANY_APPROVER: Final = ReleaseTerms()
LONGEST_HOLD_HOURS: Final = 720


@dataclass(frozen=True, slots=True)
class Wording:
    """What a rule says in one language: the message, and the mend if there is one."""

    message: Message
    help: str | None


@dataclass(frozen=True, slots=True)
class Rule:
    """A named requirement; `when`, `require` and `unless` are lists of conditions, ANDed.

    `release` says who may let pass what it holds. `message` and `help` are in the policy's own
    language, in which decisions are answered and recorded; `wordings` are those in others, by their
    tags. `language` is the tag of its own, empty where nobody says which it is.
    """

    id: str
    effect: Effect
    severity: str
    when: tuple[Condition, ...]
    require: tuple[Condition, ...]
    unless: tuple[Condition, ...]
    message: Message
    help: str | None
    place: Location
    release: ReleaseTerms = ANY_APPROVER
    language: str = ""
    wordings: Mapping[str, Wording] = field(default_factory=dict)

    @property
    def messages(self) -> tuple[Message, ...]:
        """Return the message in every language."""
        return (self.message, *(one.message for one in self.wordings.values()))

    def wording_in(self, language: str | None) -> Wording:
        """Return what it says in a language, in a relative of it, or else in the policy's own.

        Relatives have the same first subtag: `de` and `de-AT`.
        """
        own = Wording(self.message, self.help)
        spoken = {self.language: own, **self.wordings}
        if not language or language in spoken:
            return spoken.get(language or self.language, own)
        family = language.partition("-")[0]
        relatives = (one for tag, one in spoken.items() if tag.partition("-")[0] == family)
        return next(relatives, own)


@dataclass(frozen=True, slots=True)
class PolicyException:
    """An exception: a written, ticketed, ending permission to fail rules of one policy.

    It applies before `ends`, never earlier than 180 days before it.
    """

    name: str
    policy: str
    rules: frozenset[str]
    reason: str
    ticket: str
    approved_by: str
    ends: datetime
    when: tuple[Condition, ...]
    place: Location


@dataclass(frozen=True, slots=True)
class TablePolicy:
    """A policy as it stands for one table: every field resolved, params and lists filled in."""

    name: str
    table: str
    operations: frozenset[str]
    when: tuple[Condition, ...]
    rules: tuple[Rule, ...]
    exceptions: tuple[PolicyException, ...] = ()


@dataclass(frozen=True, slots=True)
class Policy:
    """One policy file, with the mode and the params that hold in the chosen environment."""

    name: str
    title: str
    description: str
    severity: str
    category: str
    contact: str
    mode: str
    on_error: str
    params: Mapping[str, Any]
    tables: Mapping[str, TablePolicy]
    place: Location


def trees_of(table: TablePolicy) -> Iterator[Condition]:
    """Yield every condition tree of a policy on one table, those of its exceptions included."""
    yield from table.when
    for rule in table.rules:
        yield from (*rule.when, *rule.unless, *rule.require)
    for exception in table.exceptions:
        yield from exception.when
