"""Lint rules about exceptions: that they end, and that they are narrow."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from rules.lint.remark import LintRule, Remark
from rules.lint.subject import Subject
from rules.policy.conditions import AllOf, Condition, LiteralValue, Test
from rules.policy.policy import PolicyException

SOON = timedelta(days=14)
_HEAD = """\
apiVersion: guard/v1
kind: Exception
name: example-move
policy: example-policy
rules: [some-rule]
reason: Users of the acquired company keep their address until the move.
ticket: CHG-30112
approvedBy: security@contoso.com
"""
_WHEN = "when:\n  - {field: address, part: domain, equals: fabrikam.com}\n"
_ONE = """\
when:
  - {field: id, equals: b1000000-0000-4000-8000-000000000001}
  - {field: address, equals: anna@fabrikam.com}
"""


class ExceptionExpiring(LintRule):
    """An exception ends within 14 days, or has ended."""

    code = "exception-expiring"
    level = "warning"
    doc = "The exception ends within 14 days, or has ended."
    why = (
        "On that day changes begin to be rejected that went through before. Whoever relies on the "
        "exception should hear of it from you, not from the guard."
    )
    mend = "Remove it, or have it approved anew with a later `expires`."
    wrong = f"{_HEAD}expires: 2026-08-25 # four days ahead\n{_WHEN}"
    right = f"{_HEAD}expires: 2026-11-30\n{_WHEN}"

    def check(self, subject: Subject) -> Iterator[Remark]:
        """Compare the ends with the moment of the lint."""
        for one in exceptions_of(subject):
            left = one.ends - subject.now
            if left <= timedelta(0):
                yield self.remark(one.place, f"The exception `{one.name}` has ended.")
            elif left <= SOON:
                days = "1 day" if left.days == 1 else f"{left.days} days"
                yield self.remark(one.place, f"The exception `{one.name}` ends in {days}.")


class ExceptionTooBroad(LintRule):
    """An exception has no condition."""

    code = "exception-too-broad"
    level = "warning"
    doc = "The exception has no `when`: it excuses every change."
    why = "An exception without a condition is the rule switched off, for everybody, until its end."
    mend = "Say under `when` which records or addresses are meant."
    wrong = f"{_HEAD}expires: 2026-11-30\n"
    right = f"{_HEAD}expires: 2026-11-30\n{_WHEN}"

    def check(self, subject: Subject) -> Iterator[Remark]:
        """Look for exceptions without conditions."""
        for one in exceptions_of(subject):
            if not one.when:
                yield self.remark(
                    one.place, f"The exception `{one.name}` excuses every change of `{one.policy}`."
                )


class ExceptionFitsMany(LintRule):
    """An exception does not name the row that it is for."""

    code = "exception-fits-many"
    level = "warning"
    doc = "The exception fits more than one record."
    why = (
        "An address alone can be set on any row: whoever points their own mailbox at it is excused "
        "as well. `exceptions draft` names the row and its owner."
    )
    mend = "Add `{field: id, equals: …}`, or say in a comment why several rows are meant."
    wrong = f"{_HEAD}expires: 2026-11-30\n{_WHEN}"
    right = f"{_HEAD}expires: 2026-11-30\n{_ONE}"

    def check(self, subject: Subject) -> Iterator[Remark]:
        """Look for exceptions that name no single row on some table of their policy."""
        for policy in subject.policy_set.policies:
            for table in policy.tables.values():
                for one in table.exceptions:
                    if one.when and not any(_names_row(each, table.table) for each in one.when):
                        text = f"The exception `{one.name}` fits more than one record."
                        yield self.remark(one.place, text)


def _names_row(condition: Condition, table: str) -> bool:
    """Return whether a condition holds of one row alone."""
    if isinstance(condition, AllOf):
        return any(_names_row(each, table) for each in condition.items)
    if not isinstance(condition, Test) or condition.part is not None:
        return False
    # A user and a queue are their own owners; of a person there may be several mailboxes.
    names = {"new.id"} if table == "mailbox" else {"new.id", "new.owner.id"}
    return condition.reference.path in names and any(
        check.operator.pins_value and isinstance(check.operand, LiteralValue)
        for check in condition.checks
    )


def exceptions_of(subject: Subject) -> Iterator[PolicyException]:
    """Yield every exception once, those of policies that are off included."""
    for policy in subject.policy_set.policies:
        for table in list(policy.tables.values())[:1]:
            yield from table.exceptions
