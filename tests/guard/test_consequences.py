"""What follows from a decision names its reason truly."""

from __future__ import annotations

from typing import Any

import pytest

from guard.consequences import why_not_approved


@pytest.mark.parametrize(
    ("table", "columns", "told"),
    [
        ("systemuser", {"isdisabled": True, "emailrouteraccessapproval": 1}, "user is disabled"),
        ("mailbox", {"statecode": 1, "emailrouteraccessapproval": 1}, "mailbox row is inactive"),
        ("queue", {"emailaddress": None, "emailrouteraccessapproval": 1}, "queue row has no addr"),
        ("mailbox", {"emailrouteraccessapproval": 2}, "no longer holds the address approved"),
    ],
)
def test_the_first_thing_that_forbids_an_approval_is_named(
    table: str, columns: dict[str, Any], told: str
) -> None:
    assert told in str(why_not_approved(table, columns))


def test_what_is_unknown_of_a_row_forbids_nothing() -> None:
    assert why_not_approved("mailbox", {}) is None
    good = {"statecode": 0, "emailaddress": "anna@contoso.com", "emailrouteraccessapproval": 1}
    assert why_not_approved("mailbox", good) is None
