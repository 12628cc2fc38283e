"""Which columns of a row anybody asks about: the guarded ones, and those that a rule may name.

Whatever else a row has decides nothing: it is neither read out of an image nor recorded.
"""

from __future__ import annotations

from guard.columns.table import TABLES
from rules.engine.policy_set import PolicySet

_MOST_SETS = 8


class AskedColumns:
    """The columns asked about under a policy set, worked out once for each set and table."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], tuple[frozenset[str], frozenset[str]]] = {}

    def flat(self, table: str, policy_set: PolicySet) -> frozenset[str]:
        """Return them by their flat names, a lookup's table (`.type`) among them."""
        return self._of(table, policy_set)[0]

    def named(self, table: str, policy_set: PolicySet) -> frozenset[str]:
        """Return them by their logical names, as Dataverse spells them, and by their flat names."""
        return self._of(table, policy_set)[1]

    def _of(self, table: str, policy_set: PolicySet) -> tuple[frozenset[str], frozenset[str]]:
        key = (policy_set.digest, table)
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= _MOST_SETS * len(TABLES):
                self._known.clear()
            names = _names(table, policy_set)
            found = self._known[key] = names, names.union(map(_logical, names))
        return found


def _names(table: str, policy_set: PolicySet) -> frozenset[str]:
    guarded = TABLES[table]
    names = set(guarded.flat) | {f"{name}.type" for name in guarded.columns}
    entity = policy_set.catalogue.entities.get(table)
    return frozenset(names.union(entity.known_names() if entity is not None else ()))


def _logical(name: str) -> str:
    return name.split(".", 1)[0]
