"""Which columns of a row a policy set reads, so that deliveries can be made to bring them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rules.engine.policy_set import PolicySet
from rules.model.catalogue import RECORD_ID, RECORD_ROOTS, FieldReference
from rules.policy.conditions import references_of
from rules.policy.policy import TablePolicy, trees_of


def delivered_columns(policy_set: PolicySet) -> Mapping[str, frozenset[str]]:
    """Return the logical names of the columns that policies name, by table, messages included.

    A lookup is one column. Facts are looked up and not delivered; policies that are off name
    nothing.
    """
    found: dict[str, set[str]] = {}
    for policy in policy_set.policies:
        if policy.mode != "off":
            for name, table in policy.tables.items():
                found.setdefault(name, set()).update(_columns_of(table))
    return {name: frozenset(columns) for name, columns in sorted(found.items())}


def _columns_of(table: TablePolicy) -> Iterator[str]:
    for reference in _references_of(table):
        is_column = reference.root in RECORD_ROOTS and not reference.is_fact
        if is_column and reference.key != RECORD_ID:
            yield reference.key.partition(".")[0]


def _references_of(table: TablePolicy) -> Iterator[FieldReference]:
    for tree in trees_of(table):
        yield from references_of(tree)
    for rule in table.rules:
        yield from (one for one in rule.message.pieces if isinstance(one, FieldReference))
