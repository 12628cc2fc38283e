"""Policies, rules and exceptions as values, resolved for one table each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
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
    term holds.
    """

    approvers: tuple[str, ...] = ()
    entra_roles: tuple[str, ...] = ()
    hours: int | None = None

    @property
    def names_somebody(self) -> bool:
        """Return whether not every approver may release it."""
        return bool(self.approvers or self.entra_roles)


ANY_APPROVER: Final = ReleaseTerms()
LONGEST_HOLD_HOURS: Final = 720


@dataclass(frozen=True, slots=True)
class Rule:
    """A named requirement; `when`, `require` and `unless` are lists of conditions, ANDed.

    `release` says who may let pass what it holds.
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
