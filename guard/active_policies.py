"""The policy set that decides now; swapped whole when a newer one was loaded."""

from __future__ import annotations

from rules.engine.policy_set import PolicySet


class ActivePolicies:
    """Holds the current policy set.

    Swapping is one assignment: a decision sees one set or the next, never parts of both.
    """

    __slots__ = ("current",)

    def __init__(self, current: PolicySet) -> None:
        self.current = current

    def swap(self, policy_set: PolicySet) -> None:
        """Let later decisions be made by this set."""
        self.current = policy_set
