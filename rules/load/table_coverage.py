"""Whether what guards one table's address or approval has a counterpart on the other tables.

The address can be changed in three places. A rule on one of them alone leaves two open doors,
which is a warning: the author may know better.
"""

from __future__ import annotations

from collections.abc import Iterable

from rules.model.catalogue import Catalogue
from rules.policy.conditions import references_of
from rules.policy.policy import Policy, TablePolicy
from rules.syntax.complaint import Complaint

_WORDS = {"address": "address", "approval": "approval"}


def uncovered_tables(policies: Iterable[Policy], catalogue: Catalogue) -> list[Complaint]:
    """Return a warning for each table that an enforced rule on another leaves open."""
    enforced = [policy for policy in policies if policy.mode == "enforce"]
    complaints = []
    for alias, word in _WORDS.items():
        columns = {
            table: field.name
            for table, entity in catalogue.entities.items()
            if alias in entity.aliases and (field := entity.find(alias)) is not None
        }
        covering: dict[str, Policy] = {}
        for policy in enforced:
            for table, resolved in policy.tables.items():
                if columns.get(table) in _judged(resolved):
                    covering.setdefault(table, policy)
        open_tables = [table for table in columns if table not in covering]
        for table in open_tables if covering else ():
            other, policy = next(iter(covering.items()))
            complaints.append(
                Complaint(
                    policy.place.file,
                    policy.place.line,
                    policy.place.column,
                    "table-not-covered",
                    f"An enforced rule on the {word} of {other} has no counterpart on {table}.",
                    f"Add {table} to `match.entity`, or write a policy for it.",
                    "warning",
                )
            )
    return complaints


def _judged(table: TablePolicy) -> frozenset[str]:
    """Return the columns that match and rules name."""
    trees = [*table.when]
    for rule in table.rules:
        trees += [*rule.when, *rule.unless, *rule.require]
    return frozenset(ref.key for tree in trees for ref in references_of(tree) if not ref.is_fact)
