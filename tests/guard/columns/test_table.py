"""Every guarded table says what it is."""

from __future__ import annotations

import pytest

from guard.columns.owner import OWNER_TYPES, TABLES_OF_OWNERS
from guard.columns.table import OWNERS, TABLES, GuardedTable, TableRole, select_of

EVERY = tuple(TABLES.values())


@pytest.mark.parametrize("table", EVERY, ids=lambda table: table.name)
def test_what_it_names_is_among_its_guarded_columns(table: GuardedTable) -> None:
    assert table.address in table.columns
    assert table.sensitive <= set(table.flat)
    assert table.identity <= table.sensitive <= table.evidence
    assert table.key in select_of(table)


@pytest.mark.parametrize("table", EVERY, ids=lambda table: table.name)
def test_an_owner_says_of_which_type_and_nobody_else_does(table: GuardedTable) -> None:
    assert (table.owner_type is not None) is (table.role is TableRole.OWNER)


def test_there_is_one_table_of_mailboxes_and_one_for_each_type_of_owner() -> None:
    assert [one.name for one in EVERY if one.role is TableRole.MAILBOX] == ["mailbox"]
    assert len(TABLES_OF_OWNERS) == len(OWNERS)
    assert {one.name for one in OWNERS} <= set(OWNER_TYPES)
