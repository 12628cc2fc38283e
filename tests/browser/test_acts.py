"""Everything that a person does at the console, done in a browser: with a mouse, by keys, bare."""

from __future__ import annotations

import json

from playwright.sync_api import Page

from sandbox import people
from tests.browser.conftest import Open
from tests.browser.world import World

BOB = f"/mailboxes/{people.BOB.mailbox_id}"


def state_of(guarded: World, record_id: str = people.BOB.mailbox_id) -> str:
    shown = guarded.command("mailboxes", "show", record_id, "--output", "json")
    state: str = json.loads(shown)["state"]
    return state


def pause(page: Page, url: str, reason: str) -> None:
    page.goto(url + BOB)
    page.get_by_label("Why does it rest?").fill(reason)
    page.get_by_role("button", name="Pause").click()
    page.wait_for_url("**said=paused")
    assert page.get_by_role("status").inner_text().startswith("The mailbox rests")


def resume(page: Page, url: str) -> None:
    page.goto(url + BOB)
    page.get_by_role("button", name="Resume").click()
    page.wait_for_url("**said=resumed")


def test_a_mailbox_is_paused_and_resumed(sign_in: Open, guarded: World) -> None:
    page = sign_in()
    pause(page, guarded.url, "A move.")
    assert state_of(guarded) == "paused"
    assert "A move." in page.locator("main").inner_text()
    resume(page, guarded.url)
    assert state_of(guarded) != "paused"


def test_without_script_everything_works(sign_in: Open, guarded: World) -> None:
    page = sign_in(java_script_enabled=False)
    pause(page, guarded.url, "Without script.")
    resume(page, guarded.url)
    page.get_by_role("button", name="Sign out").click()
    assert page.get_by_role("heading", name="Sign in").is_visible()


def test_by_keys_alone(sign_in: Open, guarded: World) -> None:
    page = sign_in()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.goto(guarded.url + BOB)
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.closest('form')?.action.endsWith('/pause')"):
            break
    assert page.evaluate("document.activeElement.matches(':focus-visible')")
    page.keyboard.type("By keys.")
    page.keyboard.press("Enter")
    page.wait_for_url("**said=paused")
    resume(page, guarded.url)


def test_a_form_without_a_reason_is_not_sent(sign_in: Open, guarded: World) -> None:
    page = sign_in()
    page.goto(guarded.url + BOB)
    page.get_by_role("button", name="Pause").click()
    assert page.url.endswith(BOB)


def test_an_approver_releases_what_is_held(sign_in: Open, guarded: World) -> None:
    page = sign_in("global.admin")
    page.goto(f"{guarded.url}/holds")
    page.get_by_role("link", name=people.CEO.address).click()
    text = page.locator("main").inner_text()
    assert people.APPROVER.address in text
    assert "vip-address-held/second-person" in text
    page.get_by_label("Why is it right?").fill("I spoke with them.")
    page.get_by_role("button", name="Approve").click()
    page.wait_for_url("**said=approved")
    assert "I spoke with them." in page.locator("main").inner_text()
    assert page.locator(".head .state").inner_text() == "approved"
    assert people.GLOBAL_ADMIN.address in page.locator("main").inner_text()


def test_whoever_asked_does_not_release_it(sign_in: Open, guarded: World) -> None:
    page = sign_in("approver")
    page.goto(f"{guarded.url}/holds")
    page.get_by_role("link", name=people.CFO.address).click()
    page.get_by_label("Why is it right?").fill("I asked for it.")
    page.get_by_role("button", name="Approve").click()
    assert "nobody releases their own" in page.locator("main").inner_text()


def test_an_operator_refuses_what_is_held(sign_in: Open, guarded: World) -> None:
    page = sign_in("exchange.admin")
    page.goto(f"{guarded.url}/holds")
    page.get_by_role("link", name=people.CFO.address).click()
    assert page.get_by_role("button", name="Approve").count() == 0
    page.get_by_label("Why is it refused?").fill("Nobody knows of it.")
    page.get_by_role("button", name="Refuse").click()
    page.wait_for_url("**said=refused")
    assert "Nobody knows of it." in page.locator("main").inner_text()


def test_a_reader_finds_nothing_to_press(sign_in: Open, guarded: World) -> None:
    page = sign_in("admin")
    page.goto(guarded.url + BOB)
    names = page.get_by_role("button").all_inner_texts()
    assert names == ["Sign out"]


def test_a_mailbox_is_withdrawn(sign_in: Open, guarded: World) -> None:
    page = sign_in()
    page.goto(f"{guarded.url}/mailboxes?q={people.DESK.address}")
    page.get_by_label("Why is it withdrawn?").fill("They left.")
    page.get_by_role("button", name="Withdraw").click()
    page.wait_for_url("**said=withdrawn**")
    assert state_of(guarded, people.DESK.mailbox_id) == "withdrawn"
    assert people.GLOBAL_ADMIN.address in page.locator("main").inner_text()
