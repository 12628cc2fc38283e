"""The lint rule about tables: the loader's own warning, told with the others."""

from __future__ import annotations

from collections.abc import Iterator

from rules.lint.remark import LintRule, Remark
from rules.lint.subject import Subject
from rules.load.table_coverage import uncovered_tables


class TableNotCovered(LintRule):
    """What guards one table's address or approval has no counterpart on another."""

    code = "table-not-covered"
    level = "warning"
    doc = "An enforced rule on the address or approval of one table has none on the others."
    why = (
        "The same address can be set on the mailbox, on the user and on the queue. A rule on one "
        "of them leaves two open doors."
    )
    mend = "Name the other tables under `match.entity`, or write a policy for them."
    wrong = """\
match: {entity: mailbox}
rules:
  - id: some-rule
    require: [{field: address, part: domain, equals: contoso.com}]
    message: "{address} is elsewhere."
"""
    right = """\
match: {entity: [mailbox, systemuser, queue]}
rules:
  - id: some-rule
    require: [{field: address, part: domain, equals: contoso.com}]
    message: "{address} is elsewhere."
"""

    def check(self, subject: Subject) -> Iterator[Remark]:
        """Ask the loader's check."""
        for found in uncovered_tables(subject.policy_set.policies, subject.policy_set.catalogue):
            yield Remark(found)
