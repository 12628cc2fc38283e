"""The match index: which policies a change can concern, without evaluating any of them.

Policies are grouped by table and operation, then by the columns of which one must differ for the
policy to match. Policies for other tables, operations and columns cost nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from rules.change import Change
from rules.compiled import CompiledPolicy
from rules.decision import Decision
from rules.slots import Readers, View

_MOST_REMEMBERED: Final = 512


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Policies in the order of their names, and every fact that one of them names.

    `readers` read the fields that they name into a copy of `blank`, an empty view. `allowed`
    remembers decisions without findings by the rules that were evaluated: they are the same value
    each time.
    """

    policies: tuple[CompiledPolicy, ...]
    facts: frozenset[str]
    readers: Readers
    blank: View
    allowed: dict[tuple[str, ...], Decision]


def _gather(policies: Iterable[CompiledPolicy], size: int) -> Candidates:
    ordered = tuple(sorted(set(policies), key=lambda one: one.policy.name))
    readers = {index: read for one in ordered for index, read in one.readers}
    facts: frozenset[str] = frozenset().union(*(one.facts for one in ordered))
    return Candidates(ordered, facts, tuple(readers.items()), [False] + [None] * size, {})


_NONE: Final = _gather((), 0)


class _Bucket:
    """The policies of one table and operation."""

    __slots__ = ("always", "by_column", "columns", "remembered", "size")

    def __init__(self, size: int) -> None:
        self.size = size
        self.always: list[CompiledPolicy] = []
        self.by_column: dict[str, list[CompiledPolicy]] = {}
        self.columns: frozenset[str] = frozenset()
        # Which columns differ decides which policies: the same few combinations return for ever.
        self.remembered: dict[frozenset[str], Candidates] = {}

    def add(self, policy: CompiledPolicy) -> None:
        if policy.triggers is None:
            self.always.append(policy)
        else:
            self.columns |= policy.triggers
            for column in policy.triggers:
                self.by_column.setdefault(column, []).append(policy)

    def find(self, differing: frozenset[str]) -> Candidates:
        found = self.remembered.get(differing)
        if found is None:
            chosen = list(self.always)
            for column in differing:
                chosen += self.by_column[column]
            found = _gather(chosen, self.size)
            if len(self.remembered) >= _MOST_REMEMBERED:
                self.remembered.clear()
            self.remembered[differing] = found
        return found


class MatchIndex:
    """Finds the candidates of a change, and all policies of a table."""

    def __init__(self, policies: Iterable[tuple[str, CompiledPolicy]], *, size: int) -> None:
        self._buckets: dict[tuple[str, str], _Bucket] = {}
        tables: dict[str, list[CompiledPolicy]] = {}
        for table, policy in policies:
            tables.setdefault(table, []).append(policy)
            for operation in policy.operations:
                self._buckets.setdefault((table, operation), _Bucket(size)).add(policy)
        self._tables = {table: _gather(several, size) for table, several in tables.items()}

    def candidates(self, change: Change) -> Candidates:
        """Return the policies that can match; the rest have a `match` that is certainly false."""
        bucket = self._buckets.get((change.table, change.operation))
        if bucket is None:
            return _NONE
        return bucket.find(change.differing & bucket.columns)

    def concerns(self, table: str, operation: str, differing: frozenset[str]) -> bool:
        """Tell whether a policy can match a change of these columns."""
        bucket = self._buckets.get((table, operation))
        return bucket is not None and bool(bucket.find(differing & bucket.columns).policies)

    def of_table(self, table: str) -> Candidates:
        """Return every policy of a table, whatever its operations."""
        return self._tables.get(table, _NONE)

    @property
    def tables(self) -> frozenset[str]:
        """Return the tables that some policy matches."""
        return frozenset(self._tables)
