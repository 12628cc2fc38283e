"""What must be looked up before a change can be decided."""

from __future__ import annotations

from rules.engine.policy_set import PolicySet
from rules.model.change import Change


def needs(change: Change, policy_set: PolicySet) -> frozenset[str]:
    """Return the full path of every fact named anywhere in a policy that can match the change.

    On create there is no old side, so no fact of it is needed.
    """
    facts = policy_set.candidates(change).facts
    if change.before:
        return facts
    return frozenset(path for path in facts if not path.startswith("old."))
