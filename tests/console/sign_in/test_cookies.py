"""Cookies are of this host alone, closed to scripts, and secure where they can be."""

from __future__ import annotations

import pytest

from console.sign_in import cookies
from console.sign_in.cookies import Cookies


def test_over_https_a_cookie_is_bound_to_the_host() -> None:
    header = Cookies(is_secure=True).session("abc")["set-cookie"]
    assert header.startswith("__Host-mailbox-guard=abc;")
    assert {"Path=/", "HttpOnly", "SameSite=Lax", "Secure"} <= set(header.split("; "))
    assert "Domain" not in header


def test_on_this_machine_it_is_not_secure_but_closed_all_the_same() -> None:
    header = Cookies(is_secure=False).session("abc")["set-cookie"]
    assert header == "mailbox-guard=abc; Path=/; HttpOnly; SameSite=Lax"


@pytest.mark.parametrize("is_secure", [True, False])
def test_what_was_set_is_read(is_secure: bool) -> None:
    mine = Cookies(is_secure=is_secure)
    pair = mine.session("abc")["set-cookie"].partition(";")[0]
    assert mine.read(f"other=1; {pair}", cookies.SESSION) == "abc"
    assert mine.read(pair, cookies.TICKET) is None


def test_over_https_a_cookie_that_anybody_may_set_is_not_read() -> None:
    assert Cookies(is_secure=True).read("mailbox-guard=abc", cookies.SESSION) is None


@pytest.mark.parametrize("header", [None, "", "nonsense", "mailbox-guard=", "a=" + "b" * 10_000])
def test_what_is_none_is_nobody(header: str | None) -> None:
    assert Cookies(is_secure=False).read(header, cookies.SESSION) is None
