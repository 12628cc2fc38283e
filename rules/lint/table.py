"""The one table of lint rules; the documentation is made from it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from rules.lint.comparisons import (
    AnchoredPattern,
    CaseSensitiveAddress,
    DuplicateRule,
    RegexUnbounded,
    RoleByName,
    WhenEqualsUnless,
)
from rules.lint.exceptions import ExceptionExpiring, ExceptionFitsMany, ExceptionTooBroad
from rules.lint.modes import (
    EnforceNeverAudited,
    MessageWithoutValue,
    OnErrorAllowInEnforce,
    RuleWithoutTest,
)
from rules.lint.persons import PersonBySpelling
from rules.lint.remark import LintRule
from rules.lint.table_coverage import TableNotCovered
from rules.lint.unused import DuplicateItem, UnusedList, UnusedParam

LINT_RULES: Mapping[str, LintRule] = MappingProxyType(
    {
        each.code: each
        for each in (
            RuleWithoutTest(), DuplicateRule(), WhenEqualsUnless(), TableNotCovered(),
            OnErrorAllowInEnforce(), RoleByName(), PersonBySpelling(), CaseSensitiveAddress(),
            ExceptionTooBroad(), ExceptionFitsMany(), ExceptionExpiring(), UnusedParam(),
            UnusedList(), DuplicateItem(), MessageWithoutValue(), EnforceNeverAudited(),
            RegexUnbounded(), AnchoredPattern(),
        )
    }
)  # fmt: skip
"""Every lint rule by its code, the gravest first."""
