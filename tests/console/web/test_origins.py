"""Only a path of ours is gone to, only a host of ours is answered."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.web.origins import is_our_host, is_this_machine, path_of_ours


@pytest.mark.parametrize("path", ["/", "/holds", "/mailboxes/1?said=paused"])
def test_a_path_of_ours_is_gone_to(path: str) -> None:
    assert path_of_ours(path) == path


@pytest.mark.parametrize(
    "path",
    [
        "",
        "holds",
        "//fabrikam.com",
        "/\\fabrikam.com",
        "https://fabrikam.com",
        "/a\nb",
        "/é",
        "/" + "a" * 600,
        "/a\\b",
        "javascript:alert(1)",
    ],
)
def test_anything_else_leads_to_the_first_page(path: str) -> None:
    assert path_of_ours(path) == "/"


@given(st.text(max_size=80))
def test_no_text_leads_away(text: str) -> None:
    path = path_of_ours(text)
    assert path.startswith("/")
    assert not path.startswith(("//", "/\\"))


def test_this_machine_has_few_names() -> None:
    assert is_our_host("127.0.0.1:8080", "")
    assert is_our_host("localhost", "")
    assert is_our_host("[::1]:8080", "")
    assert not is_our_host("10.0.0.1:8080", "")
    assert is_our_host("Guard.contoso.com", "https://guard.contoso.com")
    assert not is_our_host("guard.contoso.com:444", "https://guard.contoso.com")
    assert is_this_machine(("127.0.0.1", 1))
    assert not is_this_machine(("10.0.0.1", 1))
    assert not is_this_machine(None)
