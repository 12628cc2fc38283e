"""What of a change is guarded, compared once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from guard.columns.change import GuardedChange
from rules.model.change import Change


class CountingColumns(dict[str, Any]):
    """Columns that count how often one of them was asked for."""

    asked = 0

    def get(self, *args: Any) -> Any:
        self.asked += 1
        return super().get(*args)

    def items(self) -> Any:
        return super().items()

    def __iter__(self) -> Iterator[str]:
        return super().__iter__()


def a_change(table: str, before: dict[str, Any], after: dict[str, Any]) -> GuardedChange:
    return GuardedChange(Change(table, "update", "r1", before, after))


def test_only_guarded_columns_count_and_texts_have_no_case() -> None:
    before = {"emailaddress": "a@contoso.com", "username": "", "name": "x", "statecode": 0}
    after = {"emailaddress": "A@CONTOSO.com", "username": None, "name": "y", "statecode": 1}
    assert a_change("mailbox", before, after).altered == ("statecode",)


def test_what_was_altered_is_compared_once() -> None:
    before = CountingColumns(emailaddress="a@contoso.com")
    change = a_change("mailbox", before, {"emailaddress": "b@contoso.com"})
    assert change.altered == ("emailaddress",)
    asked = before.asked
    assert (change.altered, change.is_sensitive, change.alters_evidence, asked > 0) == (
        ("emailaddress",),
        True,
        True,
        True,
    )
    assert before.asked == asked


@pytest.mark.parametrize(
    ("table", "column", "is_sensitive", "alters_evidence", "alters_identity"),
    [
        ("mailbox", "emailaddress", True, True, False),
        ("mailbox", "ownerid.id", True, True, False),
        ("mailbox", "statecode", False, True, False),
        ("mailbox", "username", False, False, False),
        ("systemuser", "domainname", True, True, True),
        ("systemuser", "isdisabled", False, True, False),
        ("queue", "statecode", False, True, False),
    ],
)
def test_what_a_column_means_for_an_approval(
    table: str, column: str, is_sensitive: bool, alters_evidence: bool, alters_identity: bool
) -> None:
    change = a_change(table, {column: "a"}, {column: "b"})
    found = (change.is_sensitive, change.alters_evidence, change.alters_identity)
    assert found == (is_sensitive, alters_evidence, alters_identity)


@pytest.mark.parametrize(
    ("before", "after", "becomes"), [(2, 1, True), (1, 1, False), (1, 2, False)]
)
def test_when_a_row_becomes_approved(before: int, after: int, becomes: bool) -> None:
    columns = [{"emailrouteraccessapproval": value} for value in (before, after)]
    assert a_change("mailbox", *columns).becomes_approved is becomes
