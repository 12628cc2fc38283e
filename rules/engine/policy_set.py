"""A policy set: everything that was loaded together, ready to decide, known by one digest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from rules.engine.compile import compile_policy
from rules.engine.index import Candidates, MatchIndex
from rules.model.catalogue import Catalogue
from rules.model.change import Change
from rules.operators.fields import FieldReaders
from rules.policy.policy import Policy, Rule
from rules.syntax.complaint import Complaint


@dataclass(frozen=True, slots=True, eq=False)
class PolicySet:
    """Policies, catalogue and index of one folder in one environment.

    `digest` is over the meaning of the documents: comments and layout do not change it.
    `documents` holds the text of every file that has a part in decisions, by its path, so that
    `load_documents` makes the same set again. `warnings` are complaints that stopped nothing.
    """

    digest: str
    environment: str | None
    documents: Mapping[str, str]
    catalogue: Catalogue
    policies: tuple[Policy, ...]
    index: MatchIndex
    warnings: tuple[Complaint, ...] = ()

    def candidates(self, change: Change) -> Candidates:
        """Return the policies that can match a change."""
        return self.index.candidates(change)

    def rule(self, table: str, rule_id: str) -> Rule | None:
        """Return the rule of that id ("policy/rule") on a table; None where the set has none."""
        name, _, own_id = rule_id.partition("/")
        for policy in self.policies:
            resolved = policy.tables.get(table) if policy.name == name else None
            for rule in resolved.rules if resolved is not None else ():
                if rule.id == own_id:
                    return rule
        return None

    @property
    def enforced(self) -> int:
        """Return how many policies are enforced; with none, a guard must not start."""
        return sum(policy.mode == "enforce" for policy in self.policies)

    @property
    def tables(self) -> frozenset[str]:
        """Return the tables that some policy of a mode other than off matches."""
        return self.index.tables

    def only(self, names: frozenset[str]) -> PolicySet:
        """Return the set with these policies alone, for tests of one policy.

        One that is off is audited here: who names it wants to see what it would do.
        """
        kept = tuple(
            replace(policy, mode="audit") if policy.mode == "off" else policy
            for policy in self.policies
            if policy.name in names
        )
        return PolicySet(
            self.digest,
            self.environment,
            self.documents,
            self.catalogue,
            kept,
            build_index(kept),
            self.warnings,
        )


def build_index(policies: tuple[Policy, ...]) -> MatchIndex:
    """Compile the policies that are not off and index them."""
    readers = FieldReaders()
    compiled = [
        (table, compile_policy(policy, resolved, readers))
        for policy in policies
        if policy.mode != "off"
        for table, resolved in policy.tables.items()
    ]
    return MatchIndex(compiled, blank=readers.blank)
