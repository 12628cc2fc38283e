"""What lint looks at: the set as loaded, the same files as nodes with their places, the tests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from rules.engine.policy_set import PolicySet
from rules.policy.conditions import Check, Location, Test, tests_of
from rules.policy.policy import Policy, Rule, TablePolicy, trees_of
from rules.syntax.folder import is_test
from rules.syntax.nodes import ListNode, MapNode, Node, ScalarNode, read_nodes

_EXPECTED = ("rules", "held", "warned", "audited")


@dataclass(frozen=True, slots=True)
class Subject:
    """A policy folder under lint.

    `texts` holds every file by its path, tests and all params included. `audited` names the
    policies that were in mode audit or warn at some time; None when nobody can tell.
    """

    policy_set: PolicySet
    texts: Mapping[str, str]
    now: datetime
    audited: frozenset[str] | None = None
    roots: dict[str, MapNode] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        policy_set: PolicySet,
        texts: Mapping[str, str],
        *,
        now: datetime,
        audited: frozenset[str] | None = None,
    ) -> Subject:
        """Return the subject of a set that was loaded from these texts."""
        subject = cls(policy_set, texts, now, audited)
        for path, text in sorted(texts.items()):
            root = read_nodes(path, text, [])
            if isinstance(root, MapNode):
                subject.roots[path] = root
        return subject

    def active(self) -> Iterator[Policy]:
        """Yield every policy that is not off."""
        for policy in self.policy_set.policies:
            if policy.mode != "off":
                yield policy

    def rules(self) -> Iterator[tuple[Policy, TablePolicy, Rule]]:
        """Yield every rule of a policy that is not off, once: for the first of its tables."""
        for policy in self.active():
            for table in list(policy.tables.values())[:1]:
                for rule in table.rules:
                    yield policy, table, rule

    def checks(self) -> Iterator[tuple[Test, Check]]:
        """Yield every operator of every condition, match and exceptions included, once a place."""
        seen: set[Location] = set()
        for policy in self.active():
            for table in policy.tables.values():
                for tree in trees_of(table):
                    for test in tests_of(tree):
                        for check in test.checks:
                            if check.place not in seen:
                                seen.add(check.place)
                                yield test, check

    def of_kind(self, kind: str) -> Iterator[tuple[str, MapNode]]:
        """Yield the files that say they are of that kind."""
        for path, root in self.roots.items():
            said = root.entries.get("kind")
            if isinstance(said, ScalarNode) and said.content == kind and not is_test(path):
                yield path, root

    def params_files(self) -> Iterator[tuple[str, MapNode]]:
        """Yield the params of every environment, chosen or not."""
        for path, root in self.roots.items():
            if path.rpartition("/")[0].rsplit("/", 1)[-1] == "params":
                yield path, root

    def expected(self) -> frozenset[str]:
        """Return the ids of the rules that some test expects to fail."""
        found: set[str] = set()
        for path, root in self.roots.items():
            cases = root.entries.get("cases") if is_test(path) else None
            for case in cases.items if isinstance(cases, ListNode) else ():
                found |= _expected(case)
        return frozenset(found)


def _expected(case: Node) -> set[str]:
    expect = case.entries.get("expect") if isinstance(case, MapNode) else None
    found: set[str] = set()
    for key in _EXPECTED if isinstance(expect, MapNode) else ():
        assert isinstance(expect, MapNode)  # noqa: S101 - the loop is empty otherwise.
        listed = expect.entries.get(key)
        for item in listed.items if isinstance(listed, ListNode) else ():
            if isinstance(item, ScalarNode):
                found.add(item.text)
    return found
