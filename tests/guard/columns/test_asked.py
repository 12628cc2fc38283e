"""Which columns anybody asks about: the guarded ones and those of the catalogue."""

from __future__ import annotations

from guard.columns.asked import AskedColumns
from guard.columns.table import TABLES
from rules.load.loader import load_documents
from tests.guard.assembled import POLICIES


def test_every_guarded_column_is_asked_about_and_lookups_by_both_names() -> None:
    asked, policy_set = AskedColumns(), load_documents(POLICIES)
    for table in TABLES.values():
        assert set(table.columns) <= asked.named(table.name, policy_set)
        assert set(table.flat) <= asked.flat(table.name, policy_set)


def test_a_column_that_the_catalogue_knows_is_asked_about_and_no_other() -> None:
    asked, policy_set = AskedColumns(), load_documents(POLICIES)
    assert "isserviceaccount" in asked.named("mailbox", policy_set)
    assert "column17" not in asked.named("mailbox", policy_set)
