"""Both ways in, and the way out."""

from __future__ import annotations

from pathlib import Path

from sandbox import people
from tests.browser.conftest import Open
from tests.browser.world import KEY, World, link_of
from tests.end_to_end.processes import processes


def test_a_person_signs_in_with_entra_and_out_again(sign_in: Open, guarded: World) -> None:
    page = sign_in("global.admin")
    assert people.GLOBAL_ADMIN.address in page.locator("header").inner_text()
    (session,) = [
        one for one in page.context.cookies(guarded.url) if one["name"] == "mailbox-guard"
    ]
    assert session["httpOnly"]
    assert session["sameSite"] == "Lax"
    page.get_by_role("button", name="Sign out").click()
    assert "You are signed out." in page.locator("main").inner_text()
    page.goto(f"{guarded.url}/system")
    assert "/sign-in" in page.url


def test_whoever_wanted_a_page_is_led_there(open_page: Open, guarded: World) -> None:
    page = open_page()
    page.goto(f"{guarded.url}/mailboxes?state=synced")
    page.get_by_role("link", name="Sign in with Microsoft").click()
    page.get_by_label("As").select_option(people.ADMIN.address)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{guarded.url}/mailboxes?state=synced")


def test_whoever_has_no_role_is_told_so(open_page: Open, guarded: World) -> None:
    page = open_page()
    page.goto(f"{guarded.url}/sign-in/entra")
    page.get_by_label("As").select_option(people.ANNA.address)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{guarded.url}/**")
    assert "none of the app roles" in page.locator("main").inner_text()


def test_the_link_lets_in_once_and_approves_nothing(open_page: Open, folder: Path) -> None:
    with processes(folder, webhook_keys=KEY) as group:
        link = link_of(group.serve("--no-sync"))
        page = open_page()
        page.goto(link)
        page.get_by_role("button", name="Open the console").click()
        assert page.get_by_role("heading", name="Today").is_visible()
        page.goto(link.partition("/link")[0] + "/system")
        assert "one-time link" in page.locator("main").inner_text()
        again = open_page()
        again.goto(link)
        again.get_by_role("button", name="Open the console").click()
        assert "opened already" in again.locator("main").inner_text()
