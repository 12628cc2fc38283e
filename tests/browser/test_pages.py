"""Every page: small, closed, for everybody, on a phone, in the dark, with names that mean harm."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from console.web.table import PAGES
from sandbox import people
from tests.browser.conftest import PHONE, Open
from tests.browser.world import HOSTILE, World

MOST_BYTES = 60_000
MENU = [page.path for page in PAGES]
# Pages about one thing, each reached by a link on a page of the menu.
BELOW = {"/mailboxes": f"/mailboxes/{people.BOB.mailbox_id}"}
PATHS = [*MENU, *BELOW.values(), "/mailboxes/brakes", "/holds?all"]


def offences(page: Page) -> list[str]:
    """Return what axe-core finds serious or critical."""
    found = Axe().run(page).response["violations"]
    return [
        f"{page.url}: {one['id']}: {one['help']}: {one['nodes'][0]['html'][:200]}"
        for one in found
        if one["impact"] in ("serious", "critical")
    ]


def hold_paths(page: Page, url: str) -> list[str]:
    page.goto(f"{url}/holds?all")
    found = page.locator("main td a").evaluate_all("all => all.map(one => one.pathname)")
    return [path for path in found if path.startswith("/holds/")]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_keeps_anybody_out(sign_in: Open, guarded: World, scheme: str) -> None:
    page = sign_in(color_scheme=scheme)
    found = []
    for path in (*PATHS, *hold_paths(page, guarded.url)[:1]):
        answer = page.goto(guarded.url + path)
        assert answer is not None
        assert answer.status == 200, path
        found += offences(page)
    assert found == []


def test_the_pages_outside_keep_nobody_out(open_page: Open, guarded: World) -> None:
    page = open_page()
    found = []
    for path, status in (("/sign-in", 200), ("/link/x", 200), ("/nowhere", 404)):
        answer = page.goto(guarded.url + path)
        assert answer is not None
        assert answer.status == status
        found += offences(page)
    assert found == []


def test_on_a_phone_nothing_is_wider_than_the_screen(sign_in: Open, guarded: World) -> None:
    page = sign_in(viewport=PHONE, is_mobile=True, has_touch=True)
    wide = []
    for path in (*PATHS, *hold_paths(page, guarded.url)[:1]):
        page.goto(guarded.url + path)
        width = page.evaluate("document.documentElement.scrollWidth")
        if width > PHONE["width"]:
            wide.append((path, width))
    assert wide == []


def test_dark_is_dark(sign_in: Open, guarded: World) -> None:
    def ground(scheme: str) -> float:
        page = sign_in(color_scheme=scheme)
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        return sum(int(part) for part in colour.strip("rgb()").split(","))

    assert ground("dark") < 150 < 600 < ground("light")


def test_every_page_is_light_as_text(sign_in: Open, guarded: World) -> None:
    page = sign_in()
    loaded: list[int] = []
    page.context.on("response", lambda answer: loaded.append(len(answer.body())))
    heavy = {}
    for path in PATHS:
        loaded.clear()
        page.goto(guarded.url + path, wait_until="networkidle")
        if sum(loaded) > MOST_BYTES:
            heavy[path] = sum(loaded)
    assert heavy == {}


def test_a_name_with_script_in_it_does_nothing(sign_in: Open, guarded: World) -> None:
    page = sign_in()
    mailbox = f"{guarded.url}/mailboxes/{people.BOB.mailbox_id}"
    page.goto(mailbox)
    page.get_by_label("Why does it rest?").fill(HOSTILE)
    page.get_by_role("button", name="Pause").click()
    page.wait_for_url("**said=paused")
    for path in (mailbox, f"{guarded.url}/mailboxes", f"{guarded.url}/mailboxes?q={HOSTILE}"):
        page.goto(path)
        assert page.title() != "run"
        assert page.locator("main script, main img").count() == 0
    page.goto(mailbox)
    assert HOSTILE in page.locator("main").inner_text()
    page.get_by_role("button", name="Resume").click()
    page.wait_for_url("**said=resumed")


def test_first_paint_waits_for_no_script(sign_in: Open, guarded: World) -> None:
    page = sign_in()
    waiting = page.evaluate(
        "[...document.querySelectorAll('script')].filter(one => !one.defer && !one.async).length"
    )
    assert waiting == 0


def test_whoever_prints_gets_the_page_without_its_buttons(sign_in: Open, guarded: World) -> None:
    page = sign_in()
    page.goto(f"{guarded.url}/mailboxes/{people.BOB.mailbox_id}")
    page.emulate_media(media="print")
    assert page.get_by_role("button").count() == 0
    assert page.get_by_role("heading", name=people.BOB.address).is_visible()
