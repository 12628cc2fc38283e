"""A lint rule about people who are told by one spelling of an address, and go past by another."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from rules.lint.remark import LintRule, Remark
from rules.lint.subject import Subject
from rules.model.catalogue import Catalogue, Form, Kind
from rules.policy.conditions import (
    AllOf,
    AnyOf,
    Check,
    Condition,
    LiteralValue,
    Location,
    Not,
    Test,
)
from rules.policy.policy import TablePolicy

# Which of them hold of the spellings that are written, and which of all others.
_OF_THESE: Final = frozenset({"equals", "in", "becomes", "contains", "containsAny"})
_OF_OTHERS: Final = frozenset({"notEquals", "notIn", "notContains", "containsNone"})
_OF_PIECES: Final = frozenset({"contains", "notContains"})
_ADDRESS: Final = re.compile(r"[^@\s]+@[^@\s]+")
_PERSONS: Final = ("owner", "addressOwner", "actor")
_NAMES: Final = "names"


class PersonBySpelling(LintRule):
    """A person is told by one spelling of an address."""

    code = "person-by-spelling"
    level = "warning"
    doc = "Whoever is known by another address than the one that is written goes past the rule."
    why = (
        "A person has several addresses: a sign-in name, a primary address, aliases, and each with "
        "a tag behind a plus. A comparison of one of them holds of that spelling alone. `names` "
        "has all of them, and the object id, of the actor, the owner or whoever holds the address."
    )
    mend = (
        "Compare the person: `addressOwner.names`, `owner.names` or `actor.names` with "
        "`containsAny` where `in` or `equals` stood, with `containsNone` for their opposites."
    )
    wrong = """\
rules:
  - id: some-rule
    require: [{field: address, notIn: [ceo@contoso.com, cfo@contoso.com]}]
    message: "{address} is of somebody who is protected."
"""
    right = """\
rules:
  - id: some-rule
    require: [{field: addressOwner.names, containsNone: [ceo@contoso.com, cfo@contoso.com]}]
    message: "{address} is of somebody who is protected."
"""

    def check(self, subject: Subject) -> Iterator[Remark]:
        """Look for comparisons that let through whoever is spelt otherwise.

        What is refused, or not excused, by another spelling is no gap, and is left alone.
        """
        told: set[Location] = set()
        for policy in subject.active():
            for table in policy.tables.values():
                for test, check in _gaps_of(table):
                    names = names_of(test, table.table, subject.policy_set.catalogue)
                    if names is None or not _is_of_addresses(check) or check.place in told:
                        continue
                    told.add(check.place)
                    yield self.remark(
                        check.place,
                        f"`{test.reference.path}` is compared as it is spelt: another address of "
                        f"the same person goes past. `{names}` has them all.",
                    )


def names_of(test: Test, table: str, catalogue: Catalogue) -> str | None:
    """Return the field with all names of the person whose address is tested; None for no person.

    On a message nothing is looked up, so that an address is all that is known.
    """
    reference = test.reference
    entity = catalogue.entities.get(table)
    address = entity.find("address") if entity is not None else None
    whose, dot, _ = reference.key.partition(".")
    if reference.field.form is not Form.ADDRESS or test.part is not None:
        return None
    if reference.root == "actor":
        path = f"actor.{_NAMES}"
    elif dot and whose in _PERSONS:
        path = f"{reference.root}.{whose}.{_NAMES}"
    elif address is not None and reference.key == address.name:
        path = f"{reference.root}.addressOwner.{_NAMES}"
    else:
        return None
    return path if catalogue.resolve(table, path) is not None else None


def _is_of_addresses(check: Check) -> bool:
    if not isinstance(check.operand, LiteralValue):
        return False
    value = check.operand.value
    members = value if isinstance(value, tuple) else (value,)
    return any(isinstance(one, str) and _ADDRESS.fullmatch(one) for one in members)


def _gaps_of(table: TablePolicy) -> Iterator[tuple[Test, Check]]:
    """Yield every check by which whoever is spelt otherwise escapes a rule of the table."""
    applies = [*table.when, *(one for rule in table.rules for one in rule.when)]
    excuses = [one for rule in table.rules for one in (*rule.require, *rule.unless)]
    excuses += [one for exception in table.exceptions for one in exception.when]
    for condition in applies:
        yield from _checks_of(condition, _OF_THESE, _OF_OTHERS)
    for condition in excuses:
        yield from _checks_of(condition, _OF_OTHERS, _OF_THESE)


def _checks_of(
    condition: Condition, gaps: frozenset[str], others: frozenset[str]
) -> Iterator[tuple[Test, Check]]:
    match condition:
        case Test():
            is_list = condition.reference.field.kind is Kind.LIST
            for check in condition.checks:
                # In a text they look for a piece, such as a domain.
                looks_for_piece = check.operator.name in _OF_PIECES and not is_list
                if check.operator.name in gaps and not looks_for_piece:
                    yield condition, check
        case Not():
            yield from _checks_of(condition.item, others, gaps)
        case AllOf() | AnyOf():
            for item in condition.items:
                yield from _checks_of(item, gaps, others)
