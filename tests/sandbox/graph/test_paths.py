"""Every documented spelling of a path comes out the same."""

from __future__ import annotations

import pytest

from sandbox.graph.paths import match, segments


@pytest.mark.parametrize(
    "path",
    [
        "users/1/mailFolders/inbox/messages/delta",
        "users('1')/mailFolders('inbox')/messages/delta()",
        "users/1/mailFolders/inbox/messages/microsoft.graph.delta()",
        "users('1')/mailFolders/inbox/messages/graph.delta",
    ],
)
def test_spellings_are_one(path: str) -> None:
    assert segments(path) == ["users", "1", "mailFolders", "inbox", "messages", "delta"]


def test_keys_may_hold_slashes_quotes_and_dollars() -> None:
    assert segments("users('$a/b')/messages") == ["users", "$a/b", "messages"]
    assert segments("users('o''hara@contoso.com')") == ["users", "o'hara@contoso.com"]


def test_alternate_keys_stay_marked() -> None:
    assert segments("directoryRoles(roleTemplateId='x')") == [
        "directoryRoles",
        "(roleTemplateId='x')",
    ]


def test_names_match_without_case_and_variables_are_kept() -> None:
    pattern = ("users", "{user}", "mailFolders")
    assert match(pattern, ["USERS", "Anna", "mailfolders"]) == {"user": "Anna"}
    assert match(pattern, ["users", "Anna"]) is None
    assert match(pattern, ["users", "Anna", "messages"]) is None
