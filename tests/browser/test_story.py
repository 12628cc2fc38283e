"""An edit is found again and tells its story; a change is tried; without script as well."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Page

from sandbox import people
from tests.browser.conftest import PHONE, Open
from tests.browser.test_pages import MOST_BYTES, offences
from tests.browser.world import HOSTILE, World

BELOW = ("", "/again", "/exceptions", "/test")
POLICIES = ("/policies/own-address-only", "/policies/try")
TRIED = (
    "/policies/try?operation=update&table=mailbox&column0=address&before0=bob@contoso.com"
    "&after0=ceo@contoso.com&fact0=owner.type&value0=user&fact1=owner.upn&value1=bob@contoso.com"
)


def rejected(guarded: World) -> str:
    """Return the address of the page of Bob's edit, which was rejected."""
    found = guarded.command("decisions", "list", "--decision", "reject", "--output", "json")
    return f"/decisions/{json.loads(found)[-1]['id']}"


def paths(guarded: World) -> list[str]:
    return [*(rejected(guarded) + below for below in BELOW), *POLICIES, TRIED]


def found_by_hand(page: Page, guarded: World) -> None:
    page.goto(f"{guarded.url}/decisions")
    page.get_by_label("Address").fill(people.CEO.address)
    page.locator("select[name=decision]").select_option("reject")
    page.get_by_role("button", name="Search").click()
    page.locator("main td a").last.click()
    page.get_by_role("heading", name="What changed").wait_for()


def test_an_edit_is_found_and_tells_who_what_why_and_what_then(
    sign_in: Open, guarded: World
) -> None:
    page = sign_in()
    found_by_hand(page, guarded)
    told = page.locator("main").inner_text()
    for words in (people.BOB.address, people.CEO.address, "so it says reject", "before commit"):
        assert words in told, words
    page.get_by_role("link", name="Replay under the policies of today").click()
    page.get_by_role("heading", name="The same comes out").wait_for()
    page.go_back()
    page.get_by_role("link", name="Draft an exception").click()
    assert "kind: Exception" in page.locator("textarea").first.input_value()
    page.go_back()
    page.get_by_role("link", name="Make a test").click()
    assert "kind: Test" in page.locator("textarea").first.input_value()


def test_a_change_is_put_together_by_hand_and_decided(sign_in: Open, guarded: World) -> None:
    page = sign_in()
    page.goto(f"{guarded.url}/policies")
    page.get_by_role("link", name="Try a change").click()
    page.get_by_label("before").first.fill(people.BOB.address)
    page.get_by_label("after").first.fill(people.CEO.address)
    page.get_by_role("button", name="Decide it").click()
    page.get_by_role("heading", name="It would be rejected").wait_for()
    assert page.get_by_label("after").first.input_value() == people.CEO.address


def test_all_of_it_works_without_script(sign_in: Open, open_page: Open, guarded: World) -> None:
    signed_in = sign_in().context.cookies()
    page = open_page(java_script_enabled=False)
    page.context.add_cookies([{k: v for k, v in one.items() if k in _COOKIE} for one in signed_in])  # type: ignore[arg-type]
    found_by_hand(page, guarded)
    page.goto(f"{guarded.url}{TRIED}")
    assert page.get_by_role("heading", name="It would be rejected").is_visible()


_COOKIE = ("name", "value", "domain", "path", "httpOnly", "secure", "sameSite")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_of_it_keeps_anybody_out(sign_in: Open, guarded: World, scheme: str) -> None:
    page = sign_in(color_scheme=scheme)
    found = []
    for path in paths(guarded):
        answer = page.goto(guarded.url + path)
        assert answer is not None
        assert answer.status == 200, path
        found += offences(page)
    assert found == []


def test_it_fits_a_phone_and_is_light(sign_in: Open, guarded: World) -> None:
    page = sign_in(viewport=PHONE, is_mobile=True, has_touch=True)
    wide, heavy = [], []
    for path in paths(guarded):
        answer = page.goto(guarded.url + path)
        assert answer is not None
        if page.evaluate("document.documentElement.scrollWidth") > PHONE["width"]:
            wide.append(path)
        if len(answer.body()) > MOST_BYTES:
            heavy.append((path, len(answer.body())))
    assert (wide, heavy) == ([], [])


def test_a_search_for_script_does_nothing(sign_in: Open, guarded: World) -> None:
    page = sign_in()
    for path in ("/decisions?actor=", "/decisions?address=", "/policies/try?column0=x&after0="):
        page.goto(f"{guarded.url}{path}{HOSTILE}")
        assert page.title() != "run"
        assert page.locator("main script, main img").count() == 0
