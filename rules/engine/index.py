"""The match index: which policies a change can concern, without evaluating any of them.

Policies are grouped by table and operation, then by the columns of which one must differ for the
policy to match, and by the value that it must become. Policies for other tables, operations and
columns cost nothing, and nothing is looked up for an approval that becomes something else.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from rules.engine.compile import CompiledPolicy, Trigger
from rules.model.change import Change, Facts, Value
from rules.model.decision import Decision
from rules.operators.fields import CHANGE, FACTS, FieldReaders, Readers, View

# Bounded, since what differs is chosen by whoever sends changes.
_MOST_REMEMBERED: Final = 512


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Policies in the order of their names, and every fact that one of them names.

    `is_timed` tells whether one of them names the time of the decision.
    `readers` read the fields that their first conditions name into a copy of `blank`, an empty
    view. `allowed` remembers decisions without findings by the rules that were evaluated: they are
    the same value each time.
    """

    policies: tuple[CompiledPolicy, ...]
    facts: frozenset[str]
    is_timed: bool
    readers: Readers
    blank: View
    allowed: dict[tuple[str, ...], Decision]

    def view(self, change: Change, facts: Facts, *, now: datetime) -> View:
        """Return the values of a change as the policies see them."""
        if self.is_timed:
            facts = replace(facts, now=now)
        view = self.blank.copy()
        view[CHANGE] = change
        view[FACTS] = facts
        for index, read in self.readers:
            view[index] = read(change, facts)
        return view


def _gather(policies: Iterable[CompiledPolicy], blank: View) -> Candidates:
    ordered = tuple(sorted(set(policies), key=lambda one: one.policy.name))
    # By index, so that a field that several policies name is read once for all of them.
    readers = {index: read for one in ordered for index, read in one.readers}
    facts: frozenset[str] = frozenset().union(*(one.facts for one in ordered))
    is_timed = any(one.is_timed for one in ordered)
    return Candidates(ordered, facts, is_timed, tuple(readers.items()), blank, {})


_NONE: Final = _gather((), FieldReaders().blank)

_NO_TRIGGERS: Final[frozenset[Trigger]] = frozenset()


class _Becoming:
    """The values of one column that trigger by coming about; all of one kind."""

    __slots__ = ("every", "kind", "of_value")

    def __init__(self, kind: type) -> None:
        self.kind = kind
        self.of_value: dict[object, frozenset[Trigger]] = {}
        self.every: frozenset[Trigger] = _NO_TRIGGERS

    def add(self, trigger: tuple[str, int | str | bool]) -> None:
        self.of_value[trigger[1]] = frozenset({trigger})
        self.every |= {trigger}

    def triggered(self, value: Value) -> frozenset[Trigger]:
        if value.__class__ is self.kind:
            return self.of_value.get(value, _NO_TRIGGERS)
        # A value of another kind than the column's is an error, which only evaluating can tell.
        return _NO_TRIGGERS if value is None else self.every


class _Bucket:
    """The policies of one table and operation."""

    __slots__ = ("always", "becoming", "blank", "by_trigger", "columns", "remembered", "watched")

    def __init__(self, blank: View) -> None:
        self.blank = blank
        self.always: list[CompiledPolicy] = []
        self.by_trigger: dict[Trigger, list[CompiledPolicy]] = {}
        # The columns that trigger by differing, and the values that trigger by coming about;
        # `watched` are the columns of both.
        self.columns: frozenset[str] = frozenset()
        self.becoming: dict[str, _Becoming] = {}
        self.watched: frozenset[str] = frozenset()
        # Which columns differ decides which policies: the same few combinations return for ever.
        self.remembered: dict[frozenset[Trigger], Candidates] = {}

    def add(self, policy: CompiledPolicy) -> None:
        if policy.triggers is None:
            self.always.append(policy)
        else:
            for trigger in policy.triggers:
                self.by_trigger.setdefault(trigger, []).append(policy)
                if isinstance(trigger, str):
                    self.columns |= {trigger}
                else:
                    column, value = trigger
                    self.becoming.setdefault(column, _Becoming(value.__class__)).add(trigger)
            self.watched = self.columns.union(self.becoming)

    def concerns(self, differing: frozenset[str]) -> bool:
        """Tell whether some policy can match a change of these columns, whatever they hold."""
        return bool(self.always) or not differing.isdisjoint(self.watched)

    def triggered(self, change: Change) -> frozenset[Trigger]:
        """Return the triggers of a change."""
        differing = change.differing
        found: frozenset[Trigger] = differing & self.columns
        for column, becoming in self.becoming.items():
            if column in differing:
                found |= becoming.triggered(change.after.get(column))
        return found

    def find(self, differing: frozenset[Trigger]) -> Candidates:
        found = self.remembered.get(differing)
        if found is None:
            chosen = list(self.always)
            for trigger in differing:
                chosen += self.by_trigger[trigger]
            found = _gather(chosen, self.blank)
            if len(self.remembered) >= _MOST_REMEMBERED:
                self.remembered.clear()
            self.remembered[differing] = found
        return found


class MatchIndex:
    """Finds the candidates of a change, and all policies of a table."""

    def __init__(self, policies: Iterable[tuple[str, CompiledPolicy]], *, blank: View) -> None:
        self._buckets: dict[tuple[str, str], _Bucket] = {}
        tables: dict[str, list[CompiledPolicy]] = {}
        for table, policy in policies:
            tables.setdefault(table, []).append(policy)
            for operation in policy.operations:
                self._buckets.setdefault((table, operation), _Bucket(blank)).add(policy)
        self._tables = {table: _gather(several, blank) for table, several in tables.items()}

    def candidates(self, change: Change) -> Candidates:
        """Return the policies that can match; the rest have a `match` that is certainly false."""
        bucket = self._buckets.get((change.table, change.operation))
        if bucket is None:
            return _NONE
        is_untouched = change.differing.isdisjoint(bucket.watched)
        return bucket.find(_NO_TRIGGERS if is_untouched else bucket.triggered(change))

    def concerns(self, table: str, operation: str, differing: frozenset[str]) -> bool:
        """Tell whether a policy can match a change of these columns."""
        bucket = self._buckets.get((table, operation))
        return bucket is not None and bucket.concerns(differing)

    def of_table(self, table: str) -> Candidates:
        """Return every policy of a table, whatever its operations."""
        return self._tables.get(table, _NONE)

    @property
    def tables(self) -> frozenset[str]:
        """Return the tables that some policy matches."""
        return frozenset(self._tables)
