"""Lint rules about comparisons: case, patterns, roles by name, and the same thing said twice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from rules.lint.remark import Edit, LintRule, Remark
from rules.lint.shape import shapes_of
from rules.lint.subject import Subject
from rules.policy.conditions import LiteralValue, Location

_ROLE_NAMES: Final = "actor.roles"
_RULE: Final = """\
rules:
  - id: some-rule
    require:
      - {condition}
    message: "{{address}} by {{actor.upn}}."
"""


def _with(condition: str) -> str:
    return _RULE.format(condition=condition)


class CaseSensitiveAddress(LintRule):
    """A caseless field is compared with its case."""

    code = "case-sensitive-address"
    level = "warning"
    doc = "An address, a sign-in name or an id is compared with its case."
    why = (
        "Mail systems deliver VIP07@contoso.com and vip07@contoso.com to the same mailbox. A "
        "comparison that keeps them apart can be stepped around by a capital letter."
    )
    mend = "Remove `caseSensitive: true`, or say in a comment why it must be."
    wrong = _with('{field: address, caseSensitive: true, endsWith: "@contoso.com"}')
    right = _with('{field: address, endsWith: "@contoso.com"}')

    def check(self, subject: Subject) -> Iterator[Remark]:
        """Look for comparisons whose case rule is not the field's."""
        for test, check in subject.checks():
            compares = check.operator.takes != "flag" or check.operator.needs_old
            if compares and test.reference.field.caseless and not check.caseless:
                yield self.remark(test.place, f"`{test.reference.path}` is compared with its case.")


class RegexUnbounded(LintRule):
    """A regular expression repeats anything or a group without an end."""

    code = "regex-unbounded"
    level = "info"
    doc = "The expression repeats `.` or a group without an upper bound."
    why = (
        "RE2 stays fast whatever the text, but `.*` lets in more than its author thought of: "
        "spaces, quotes, a second @ sign."
    )
    mend = "Name the characters that are meant and how many: `[a-z.-]{1,64}`."
    wrong = _with('{field: address, matches: ".*@contoso[.]com"}')
    right = _with('{field: address, matches: "[a-z.-]{1,64}@contoso[.]com"}')

    def check(self, subject: Subject) -> Iterator[Remark]:
        """Look at every pattern of `matches`."""
        for _, check, pattern in _patterns(subject):
            if is_unbounded(pattern):
                yield self.remark(check, f"`{pattern[:80]}` repeats anything without an end.")


class AnchoredPattern(LintRule):
    """A regular expression has anchors that mean nothing."""

    code = "anchored-pattern"
    level = "info"
    doc = "The expression begins with `^` or ends with `$`, which `matches` does by itself."
    why = (
        "`matches` compares the whole text. Anchors suggest that an expression without them would "
        "match a part, which the next author then relies on."
    )
    mend = "Remove them."
    is_fixable = True
    wrong = _with('{field: address, part: local, matches: "^[a-z.]{1,64}$"}')
    right = _with('{field: address, part: local, matches: "[a-z.]{1,64}"}')

    def check(self, subject: Subject) -> Iterator[Remark]:
        """Look at every pattern of `matches`."""
        for _, place, pattern in _patterns(subject):
            bare = without_anchors(pattern)
            if bare != pattern:
                yield self.remark(
                    place, f"`{pattern[:80]}` has anchors.",
                    edit=_replacement(subject, place, pattern, bare),
                )  # fmt: skip


class RoleByName(LintRule):
    """A decision hangs on the display name of a role."""

    code = "role-by-name"
    level = "warning"
    doc = "A condition reads `actor.roles`, the display names of roles."
    why = (
        "Names of roles are translated, can be changed, and anybody who may create a role can give "
        "it the name of another. Law 15 of the design: roles are known by id."
    )
    mend = "Use `actor.roleTemplates`, `actor.roleIds` or `actor.entraRoles`."
    wrong = _with("{field: actor.roles, contains: System Administrator}")
    right = _with("{field: actor.roleTemplates, contains: 627090ff-40a3-4053-8790-584edc5be201}")

    def check(self, subject: Subject) -> Iterator[Remark]:
        """Look for conditions on role names; messages may show them."""
        for test, _ in subject.checks():
            if test.reference.path == _ROLE_NAMES:
                yield self.remark(test.place, "The rule knows a role by its display name.")


class DuplicateRule(LintRule):
    """Two rules say the same."""

    code = "duplicate-rule"
    level = "error"
    doc = "Two rules with the same effect require the same of the same changes."
    why = "One of them will be changed and the other forgotten; the person is told twice."
    mend = "Keep one of them."
    wrong = """\
rules:
  - id: some-rule
    require: [{field: address, part: domain, equals: contoso.com}]
    message: "{address} is elsewhere."
  - id: same-again
    require: [{field: new.address, part: domain, equals: contoso.com}]
    message: "{address} is not ours."
"""
    right = _with("{field: address, part: domain, equals: contoso.com}")

    def check(self, subject: Subject) -> Iterator[Remark]:
        """Compare what the rules mean on each table, not how they are written."""
        first: dict[Any, str] = {}
        told: set[tuple[str, str]] = set()
        for policy in subject.active():
            for table in policy.tables.values():
                for rule in table.rules:
                    key = (
                        table.table, table.operations, policy.mode, rule.effect,
                        shapes_of((*table.when, *rule.when)),
                        shapes_of(rule.require), shapes_of(rule.unless),
                    )  # fmt: skip
                    name = f"{policy.name}/{rule.id}"
                    earlier = first.setdefault(key, name)
                    if earlier != name and (earlier, name) not in told:
                        told.add((earlier, name))
                        yield self.remark(rule.place, f"`{name}` says the same as `{earlier}`.")


class WhenEqualsUnless(LintRule):
    """A rule is skipped exactly when it applies."""

    code = "when-equals-unless"
    level = "error"
    doc = "The rule's `when` and `unless` are the same: it never applies."
    why = "A rule that can never fail looks like protection and is none."
    mend = "Remove the `unless`, or mend the condition that was copied."
    wrong = """\
rules:
  - id: some-rule
    when: [{field: address, exists: true}]
    require: [{field: address, part: domain, equals: contoso.com}]
    unless: [{field: new.address, exists: true}]
    message: "{address} is elsewhere."
"""
    right = """\
rules:
  - id: some-rule
    when: [{field: address, exists: true}]
    require: [{field: address, part: domain, equals: contoso.com}]
    message: "{address} is elsewhere."
"""

    def check(self, subject: Subject) -> Iterator[Remark]:
        """Compare unless with when, and with when and match together."""
        for policy, table, rule in subject.rules():
            excused = set(shapes_of(rule.unless))
            if excused and excused <= set(shapes_of((*table.when, *rule.when))):
                name = f"{policy.name}/{rule.id}"
                text = f"`{name}` never applies: its `unless` asks what its `when` or `match` asks."
                yield self.remark(rule.place, text)


def is_unbounded(pattern: str) -> bool:
    """Tell whether `.` or a group is repeated without an upper bound."""
    before, is_escaped, in_class = "", False, False
    for at, char in enumerate(pattern):
        if is_escaped:
            is_escaped, before = False, "x"
            continue
        if char == "\\":
            is_escaped = True
            continue
        if in_class:
            in_class = char != "]"
            before = "x"
            continue
        if char == "[":
            in_class = True
        elif before in (".", ")") and (char in "*+" or _is_open(pattern[at:])):
            return True
        before = char
    return False


def _is_open(rest: str) -> bool:
    head, brace, _ = rest.partition("}")
    return bool(brace) and head.startswith("{") and head.endswith(",") and head[1:-1].isdigit()


def without_anchors(pattern: str) -> str:
    """Return a pattern without the anchors at its ends; `matches` means the same without them."""
    if "\\Q" in pattern:
        # What is quoted may hold such signs as themselves.
        return pattern
    bare = pattern.removeprefix("^")
    stem = bare.removesuffix("$")
    escapes = len(stem) - len(stem.rstrip("\\"))
    # A dollar sign that is escaped, or stands in a class that is not closed, is no anchor.
    return bare if escapes % 2 or stem == "" else stem


def _patterns(subject: Subject) -> Iterator[tuple[str, Location, str]]:
    for test, check in subject.checks():
        operand = check.operand
        if check.operator.takes == "pattern" and isinstance(operand, LiteralValue):
            yield test.reference.path, check.place, str(operand.value)


def _replacement(subject: Subject, place: Location, pattern: str, bare: str) -> Edit | None:
    line = subject.texts[place.file].splitlines()[place.line - 1]
    if line.count(pattern) != 1:
        return None
    return Edit(place.file, place.line, 1, (line.replace(pattern, bare),))
