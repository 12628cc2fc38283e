"""A recorded decision made again: by the policies recorded with it, or by those of today."""

from __future__ import annotations

from typing import Any

from rules.engine.policy_set import PolicySet
from rules.explain.explain import Explanation, explain
from rules.explain.render import explanation_json
from rules.model.change import Facts
from rules.operators.unknown import UnknownValue
from rules.replay.recorded import PastDecision
from rules.replay.simulate import contributing_rules, decide_again


def replayed(past: PastDecision, policy_set: PolicySet) -> dict[str, Any]:
    """Return what was recorded and what comes out now: the shape of `decisions replay`."""
    decided = decide_again(past, policy_set)
    outcome, rules = decided.outcome.value, sorted(contributing_rules(decided))
    return {
        "id": past.id,
        "same": (outcome, rules) == (past.outcome, sorted(past.rules)),
        "policy_set": policy_set.digest,
        "recorded": {"decision": past.outcome, "rules": sorted(past.rules)},
        "decided": {"decision": outcome, "rules": rules},
    }


def explained(past: PastDecision, policy_set: PolicySet) -> dict[str, Any]:
    """Return why it is decided so by this set: the shape of `policy explain`."""
    explanation = explain(past.change, policy_set, past.facts, now=past.now)
    return told(explanation, policy_set, past=past)


def told(
    explanation: Explanation,
    policy_set: PolicySet,
    *,
    past: PastDecision | None = None,
    only: str | None = None,
) -> dict[str, Any]:
    """Return an explanation as plain values, with the set and what was recorded, if anything."""
    found = explanation_json(explanation, only=only) | {"policy_set": policy_set.digest}
    if past is not None:
        found["recorded"] = {"id": past.id, "decision": past.outcome, "rules": list(past.rules)}
    return found


def not_given(explanation: Explanation, facts: Facts) -> list[str]:
    """Return what rules could not be judged for, because nobody said it: the guard looks it up."""
    found: set[str] = set()
    for policy in explanation.policies:
        for rule in policy.rules:
            if rule.result != "error":
                continue
            for trace in (*policy.match, *rule.when, *rule.require, *rule.unless):
                for leaf in trace.leaves():
                    if isinstance(leaf.answer, UnknownValue):
                        found |= set(leaf.answer.unknown)
    return sorted(found - set(facts.missing))
