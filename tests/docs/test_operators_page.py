"""docs/operators.md and docs/lint.md: what they show is what happens."""

from __future__ import annotations

import yaml

from rules.lint.table import LINT_RULES
from rules.operators.table import OPERATORS
from tests.docs.pages import blocks, first_cells, page


def test_every_operator_has_its_section_and_the_example_that_is_executed() -> None:
    text = page("operators.md")
    shown = [yaml.safe_load(block)[0] for block in blocks(text, "yaml")]
    assert shown == [dict(each.example.condition) for each in OPERATORS.values()]
    assert len(first_cells(text, "operator")) == len(OPERATORS)


def test_every_lint_rule_has_its_section_with_wrong_and_right() -> None:
    text = page("lint.md")
    for rule in LINT_RULES.values():
        assert f"\n## {rule.code}\n" in text
        assert f"# wrong\n{rule.wrong}" in text
        assert f"# right\n{rule.right}" in text
