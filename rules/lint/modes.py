"""Lint rules about tests, modes and errors: whether a rule was ever seen at work."""

from __future__ import annotations

from collections.abc import Iterator

from rules.lint.remark import LintRule, Remark
from rules.lint.subject import Subject
from rules.policy.conditions import Location
from rules.syntax.nodes import MapNode


class RuleWithoutTest(LintRule):
    """No test expects the rule to fail."""

    code = "rule-without-test"
    level = "error"
    doc = "No test expects the rule to fail."
    why = (
        "A rule that nobody ever saw fail may let everything through: a misspelt value or a wrong "
        "`when` looks exactly like a clean organisation."
    )
    mend = "Write a case whose `expect` names the rule under rules, held, warned or audited."
    wrong = """\
rules:
  - id: never-tested
    require: [{field: address, endsWith: "@contoso.com"}]
    message: "{address} is elsewhere."
"""
    right = """\
rules:
  - id: some-rule # a case of tests/example.test.yaml expects example-policy/some-rule
    require: [{field: address, endsWith: "@contoso.com"}]
    message: "{address} is elsewhere."
"""

    def check(self, subject: Subject) -> Iterator[Remark]:
        """Compare the rules with what the tests expect."""
        expected = subject.expected()
        for policy, _, rule in subject.rules():
            if f"{policy.name}/{rule.id}" not in expected:
                yield self.remark(rule.place, f"No test expects `{policy.name}/{rule.id}` to fail.")


class EnforceNeverAudited(LintRule):
    """An enforced policy was never in mode audit or warn."""

    code = "enforce-never-audited"
    level = "info"
    doc = "The policy is enforced and was never in mode audit or warn."
    why = (
        "The history of the folder shows no time in which the policy only recorded. Its first "
        "surprise will then be somebody's rejected change. Where there is no history, nothing is "
        "said."
    )
    mend = "Begin with `mode: audit`, look at `policy simulate` or the decisions, then enforce."
    wrong = "mode: enforce # the history of the file knows no other mode\n"
    right = "mode: audit\n"

    def check(self, subject: Subject) -> Iterator[Remark]:
        """Compare the enforced policies with the history, if there is one."""
        # Without a history nothing is known, which is no reason to blame anybody.
        if subject.audited is None:
            return
        for policy in subject.active():
            if policy.mode == "enforce" and policy.name not in subject.audited:
                yield self.remark(policy.place, f"`{policy.name}` was enforced without an audit.")


class OnErrorAllowInEnforce(LintRule):
    """An enforced policy lets through what it cannot judge."""

    code = "on-error-allow-in-enforce"
    level = "warning"
    doc = "The policy is enforced, yet allows what it cannot judge."
    why = (
        "Whoever can make a lookup fail, or empty a field, gets past the rule. Errors of an "
        "enforced policy reject unless it says otherwise."
    )
    mend = "Remove `onError: allow`, or ask `exists: true` in `when` for fields that may be empty."
    wrong = "mode: enforce\nonError: allow\n"
    right = "mode: enforce\nonError: reject\n"

    def check(self, subject: Subject) -> Iterator[Remark]:
        """Look at the modes that hold in the chosen environment."""
        for policy in subject.active():
            if policy.mode == "enforce" and policy.on_error == "allow":
                place = _place_of(subject, policy.place, "onError")
                yield self.remark(place, f"`{policy.name}` allows what it cannot judge.")


class MessageWithoutValue(LintRule):
    """A message names no value of the change."""

    code = "message-without-value"
    level = "info"
    doc = "The message has no `{path}` hole."
    why = (
        "The person who reads it sees no value of their own change, and asks the help desk which "
        "record is meant."
    )
    mend = "Name the value that was refused, such as `{address}`."
    wrong = """\
rules:
  - id: some-rule
    require: [{field: address, endsWith: "@contoso.com"}]
    message: The address is not allowed.
"""
    right = """\
rules:
  - id: some-rule
    require: [{field: address, endsWith: "@contoso.com"}]
    message: "{address} is not an address of contoso.com."
"""

    def check(self, subject: Subject) -> Iterator[Remark]:
        """Look for holes, those of params included."""
        for policy, _, rule in subject.rules():
            if any("{" not in message.text for message in rule.messages):
                place = _place_in_rule(subject, rule.place, "message")
                yield self.remark(place, f"The message of `{policy.name}/{rule.id}` has no value.")


def _place_of(subject: Subject, place: Location, key: str) -> Location:
    """Return the place of a top-level key of a file; the file's own when it is not written."""
    root = subject.roots.get(place.file)
    mark = root.keys.get(key) if root is not None else None
    return Location(place.file, mark.line, mark.column) if mark is not None else place


def _place_in_rule(subject: Subject, place: Location, key: str) -> Location:
    """Return the place of a key of the rule that stands at a place."""
    for node in _rule_nodes(subject, place.file):
        mark = node.keys.get(key)
        if (node.line, node.column) == (place.line, place.column) and mark is not None:
            return Location(place.file, mark.line, mark.column)
    return place


def _rule_nodes(subject: Subject, file: str) -> Iterator[MapNode]:
    root = subject.roots.get(file)
    listed = root.entries.get("rules") if root is not None else None
    for node in getattr(listed, "items", ()):
        if isinstance(node, MapNode):
            yield node
