"""The tutorial on policies works as printed, and leaves out no operator."""

from __future__ import annotations

from datetime import date, datetime

from rules.operators import OPERATORS
from tests.docs.pages import blocks, code_words, first_cells, page

TEXT = page("policies.md")


def test_every_operator_stands_in_the_table_and_nothing_else_does() -> None:
    documented = set().union(*map(code_words, first_cells(TEXT, "operator")))
    assert documented == set(OPERATORS)


def test_the_exception_on_the_page_ends_within_half_a_year() -> None:
    text = next(block for block in blocks(TEXT, "yaml") if "kind: Exception" in block)
    end = next(line.split()[1] for line in text.splitlines() if line.startswith("expires:"))
    test = next(block for block in blocks(TEXT, "yaml") if "cases:" in block)
    now = next(line.split()[1] for line in test.splitlines() if line.startswith("now:"))
    left = date.fromisoformat(end) - datetime.fromisoformat(now).date()
    assert 0 < left.days <= 180
