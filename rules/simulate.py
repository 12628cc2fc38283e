"""Recorded changes decided again under another policy set; only what differs is kept.

A change is not decided again when every policy that could concern it is the same in both sets:
then the decision is the same, because decisions are pure. What cannot be decided again (masked
records, facts that nobody recorded) is counted with its reason, never guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from rules.catalogue import Reference
from rules.change import Change
from rules.comparing import changed_policies
from rules.conditions import references_of
from rules.decide import decide
from rules.decision import Decision, Finding, Outcome, combine, set_aside
from rules.index import MatchIndex
from rules.policy import Policy
from rules.policy_set import PolicySet, build_index
from rules.recorded import PastDecision, Unreplayable, past_from

MOST_SAMPLES: Final = 3
_OWNER_ROOT: Final = ("new.owner.",)
FindSet = Callable[[str], PolicySet | None]


@dataclass(slots=True)
class Cell:
    """How many decisions went from one outcome to another, with a few of them."""

    count: int = 0
    samples: list[dict[str, Any]] = field(default_factory=list)


@dataclass(slots=True)
class Shift:
    """In how many differing decisions a rule contributes now and did not, or the other way."""

    now: int = 0
    no_longer: int = 0


@dataclass(slots=True)
class Tally:
    """What a simulation found so far; it can be written down and taken up again.

    `cells` is keyed "old -> new"; `other_rules` counts the same outcome made by other rules.
    """

    replayed: int = 0
    differing: int = 0
    other_rules: int = 0
    evaluated: int = 0
    unreplayable: dict[str, Cell] = field(default_factory=dict)
    cells: dict[str, Cell] = field(default_factory=dict)
    rules: dict[str, Shift] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return the tally as plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, stated: dict[str, Any]) -> Tally:
        """Return the tally that `as_json` wrote down."""
        cells = {key: Cell(**one) for key, one in stated["cells"].items()}
        unreplayable = {key: Cell(**one) for key, one in stated["unreplayable"].items()}
        rules = {key: Shift(**one) for key, one in stated["rules"].items()}
        return cls(**{**stated, "cells": cells, "unreplayable": unreplayable, "rules": rules})


class Simulation:
    """Decides recorded changes under one policy set and tallies what differs.

    With `baseline` the comparison is with what that set decides; without, with what was recorded,
    and `find_set` gives the sets of the records by digest.
    """

    def __init__(
        self,
        policy_set: PolicySet,
        *,
        baseline: PolicySet | None = None,
        find_set: FindSet | None = None,
        tally: Tally | None = None,
    ) -> None:
        self.tally = tally or Tally()
        self._set = policy_set
        self._baseline = baseline
        self._find_set = find_set
        self._affected: dict[str | None, _Affected | None] = {}
        self._unrecorded = _Unrecorded(policy_set)
        if baseline is not None:
            self._unrecorded_before = _Unrecorded(baseline)

    def take_rows(self, rows: Iterable[tuple[str, str, str | None]]) -> None:
        """Decide the changes of ledger rows: id, public part, private part."""
        for decision_id, public, private in rows:
            try:
                past = past_from(public, private)
            except Unreplayable as reason:
                self.set_apart(decision_id, str(reason))
                continue
            self.take(past)

    def take(self, past: PastDecision) -> None:
        """Decide one recorded change and tally it."""
        digest = past.policy_set
        affected = (
            self._affected[digest] if digest in self._affected else self._learn(digest)
        )  # fmt: skip
        tally = self.tally
        if affected is not None and not affected.concerns(past.change):
            tally.replayed += 1
            return
        tally.evaluated += 1
        decision = decide(past.change, self._set, past.facts, now=past.now)
        if self._baseline is None:
            if not decision.findings and past.outcome == "allow" and not past.rules:
                tally.replayed += 1
                return
            self._compare(past, decision, past.outcome, past.rules)
            return
        before = decide(past.change, self._baseline, past.facts, now=past.now)
        if decision is before or not (decision.findings or before.findings):
            tally.replayed += 1
            return
        lacking = self._unrecorded_before.path(past, before)
        if lacking is not None:
            self.set_apart(past.id, _lacks(lacking))
            return
        before = _as_then(past, before)
        self._compare(past, decision, before.outcome.value, _contributing(before))

    def _learn(self, digest: str | None) -> _Affected | None:
        """Return what differs between a record's set and ours; None when its set isn't known."""
        known = self._baseline
        if known is None and digest is not None and self._find_set is not None:
            known = self._find_set(digest)
        found = _Affected(known, self._set) if known is not None else None
        self._affected[digest] = found
        return found

    def _compare(
        self, past: PastDecision, decision: Decision, outcome: str, rules: tuple[str, ...]
    ) -> None:
        lacking = self._unrecorded.path(past, decision)
        if lacking is not None:
            self.set_apart(past.id, _lacks(lacking))
            return
        decision = _as_then(past, decision)
        tally = self.tally
        tally.replayed += 1
        now = _contributing(decision)
        if decision.outcome.value == outcome:
            if set(now) == set(rules):
                return
            tally.other_rules += 1
        else:
            tally.differing += 1
        for rule in set(now) - set(rules):
            tally.rules.setdefault(rule, Shift()).now += 1
        for rule in set(rules) - set(now):
            tally.rules.setdefault(rule, Shift()).no_longer += 1
        cell = tally.cells.setdefault(f"{outcome} -> {decision.outcome.value}", Cell())
        cell.count += 1
        if len(cell.samples) < MOST_SAMPLES:
            cell.samples.append(
                {
                    "id": past.id,
                    "decided_at": past.now.isoformat(),
                    "table": past.change.table,
                    "record_id": past.change.record_id,
                    "rules_before": sorted(rules),
                    "rules_now": sorted(now),
                    "messages": [one.message for one in decision.contributing],
                }
            )

    def set_apart(self, decision_id: str, reason: str) -> None:
        """Count a record that cannot be decided again."""
        cell = self.tally.unreplayable.setdefault(reason, Cell())
        cell.count += 1
        if len(cell.samples) < MOST_SAMPLES:
            cell.samples.append({"id": decision_id})


def _lacks(path: str) -> str:
    return f"{path} was not recorded"


def _contributing(decision: Decision) -> tuple[str, ...]:
    return tuple(f.id for f in decision.findings if f.contributes is not Outcome.ALLOW)


def _as_then(past: PastDecision, decision: Decision) -> Decision:
    """Return the decision with the owner's rules left to the committed row, if they were then."""
    return set_aside(decision, _OWNER_ROOT)[0] if past.deferred else decision


class _Affected:
    """The policies that differ between two sets, indexed as both have them."""

    def __init__(self, old: PolicySet, new: PolicySet) -> None:
        was, now = changed_policies(old, new)
        self._indexes = (_index(old, was), _index(new, now))

    def concerns(self, change: Change) -> bool:
        """Tell whether a policy that differs can match the change."""
        old, new = self._indexes
        return bool(old.candidates(change).policies or new.candidates(change).policies)


def _index(policy_set: PolicySet, names: frozenset[str]) -> MatchIndex:
    return build_index(tuple(one for one in policy_set.policies if one.name in names))


class _Unrecorded:
    """Finds out whether a decision hangs on a fact that the record does not have."""

    def __init__(self, policy_set: PolicySet) -> None:
        self._facts: dict[tuple[str, str], frozenset[str]] = {}
        self._excepting: dict[tuple[str, str], frozenset[str]] = {}
        for policy in policy_set.policies:
            self._add(policy)

    def _add(self, policy: Policy) -> None:
        for name, table in policy.tables.items():
            excepting = [
                ref for one in table.exceptions for c in one.when for ref in references_of(c)
            ]
            trees = list(table.when)
            for rule in table.rules:
                trees += [*rule.when, *rule.unless, *rule.require]
            named = [ref for tree in trees for ref in references_of(tree)]
            self._facts[policy.name, name] = _fact_paths([*named, *excepting])
            self._excepting[policy.name, name] = _fact_paths(excepting)

    def path(self, past: PastDecision, decision: Decision) -> str | None:
        """Return a fact that could make the outcome another; None when it is certain."""
        doubtful: dict[str, str] = {}
        for finding in decision.findings:
            lacking = self._lacking(past, finding)
            if lacking is not None:
                doubtful[finding.id] = lacking
        if not doubtful:
            return None
        certain = [finding for finding in decision.findings if finding.id not in doubtful]
        left = combine(certain, evaluated=(), matched=True)
        # Nothing is stronger than a rejection, whatever the rest would have been.
        return None if left.outcome is Outcome.REJECT else min(doubtful.values())

    def _lacking(self, past: PastDecision, finding: Finding) -> str | None:
        if finding.mode == "audit" or finding.result == "excepted":
            return None
        facts = self._facts if finding.result == "error" else self._excepting
        named = facts.get((finding.policy, past.change.table))
        if not named:
            return None
        lacking = [
            path
            for path in named
            if path not in past.facts.values
            and path not in past.facts.missing
            and (past.change.before or not path.startswith("old."))
        ]
        return min(lacking) if lacking else None


def _fact_paths(references: Iterable[Reference]) -> frozenset[str]:
    return frozenset(reference.path for reference in references if reference.is_fact)
