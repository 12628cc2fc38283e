"""Whether a decision hangs on a fact that its record does not have: then it is not guessed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set
from typing import Final

from rules.engine.policy_set import PolicySet
from rules.model.decision import Decision, Finding, Outcome, combine
from rules.policy.conditions import Condition, references_of
from rules.policy.policy import Policy, trees_of
from rules.replay.recorded import PastDecision

NONE: Final[frozenset[str]] = frozenset()


class Unrecorded:
    """Finds out whether a decision hangs on a fact that the record does not have."""

    def __init__(self, policy_set: PolicySet) -> None:
        self._facts: dict[tuple[str, str], frozenset[str]] = {}
        self._excepting: dict[tuple[str, str], frozenset[str]] = {}
        for policy in policy_set.policies:
            self._add(policy)

    def _add(self, policy: Policy) -> None:
        for name, table in policy.tables.items():
            excepting = [one for each in table.exceptions for one in each.when]
            self._facts[policy.name, name] = _fact_paths(trees_of(table))
            self._excepting[policy.name, name] = _fact_paths(excepting)

    def path(
        self, past: PastDecision, decision: Decision, *, asked: Callable[[PastDecision], Set[str]]
    ) -> str | None:
        """Return a fact that could make the outcome another; None when it is certain."""
        doubtful: dict[str, str] = {}
        known: Set[str] | None = None
        for finding in decision.findings:
            lacking = self._lacking(past, finding)
            if not lacking:
                continue
            known = asked(past) if known is None else known
            # What was asked for then and not had would not be had again: that is no doubt.
            unasked = lacking - known
            if unasked:
                doubtful[finding.id] = min(unasked)
        if not doubtful:
            return None
        certain = [finding for finding in decision.findings if finding.id not in doubtful]
        left = combine(certain, evaluated=(), matched=True)
        # Nothing is stronger than a rejection, whatever the rest would have been.
        return None if left.outcome is Outcome.REJECT else min(doubtful.values())

    def _lacking(self, past: PastDecision, finding: Finding) -> frozenset[str]:
        if finding.mode == "audit" or finding.result in ("excepted", "released"):
            return NONE
        facts = self._facts if finding.result == "error" else self._excepting
        return frozenset(
            path
            for path in facts.get((finding.policy, past.change.table), ())
            if path not in past.facts.values
            and path not in past.facts.missing
            and (past.change.before or not path.startswith("old."))
        )


def _fact_paths(trees: Iterable[Condition]) -> frozenset[str]:
    return frozenset(ref.path for tree in trees for ref in references_of(tree) if ref.is_fact)
