"""A real browser that looks at a real guard; without Chromium these tests are skipped, and say so.

Whatever a page does is watched: no request may leave the machine, nothing may break the policy of
what runs, and no page may say anything in the browser's console.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from sandbox import people
from tests.browser.world import World, world

NAMES = ("chromium", "chromium-browser", "google-chrome")
LOOPBACK = {"127.0.0.1", "localhost"}
PHONE = {"width": 320, "height": 640}


def chromium() -> str | None:
    """Return where Chromium is, if it is installed."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """Where Chromium is; without it every test here is skipped."""
    path = chromium()
    if path is None:
        pytest.skip("Chromium is not installed here; `make browser` installs Debian's.")
    return path


@pytest.fixture
def browser(chromium_path: str) -> Iterator[Browser]:
    """Chromium, as it is installed; one for each test, whose event loop no other test then has."""
    with sync_playwright() as playwright:
        # The sandbox of the browser takes rights that a container has not; it visits us alone.
        found = playwright.chromium.launch(executable_path=chromium_path, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture(scope="session")
def guarded(chromium_path: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A guard to which things have happened."""
    with world(tmp_path_factory.mktemp("browser")) as found:
        yield found


class Watched:
    """What a context did that it should not."""

    def __init__(self, context: BrowserContext) -> None:
        self.strange: list[str] = []
        context.on("request", self._look_at)
        context.on("console", lambda said: self.strange.append(f"{said.type}: {said.text}"))
        context.on("weberror", lambda error: self.strange.append(str(error.error)))

    def _look_at(self, request: Any) -> None:
        if urlsplit(request.url).hostname not in LOOPBACK:
            self.strange.append(f"request to {request.url}")


Open = Callable[..., Page]


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Open]:
    """Open a page of its own context; at the end nothing strange may have happened in any."""
    opened: list[tuple[BrowserContext, Watched]] = []

    def open_one(**options: Any) -> Page:
        # The sandbox's certificate is of an authority of its own.
        context = browser.new_context(ignore_https_errors=True, **options)
        context.set_default_timeout(15_000)
        opened.append((context, Watched(context)))
        return context.new_page()

    yield open_one
    strange = [told for _, watched in opened for told in watched.strange]
    for context, _ in opened:
        context.close()
    # A page of an error is itself an error in the console of the browser.
    assert [told for told in strange if "status of 4" not in told] == []


@pytest.fixture
def sign_in(open_page: Open, guarded: World) -> Open:
    """Sign somebody in with Entra, and return the page that they then see."""

    def sign_one(alias: str = "global.admin", **options: Any) -> Page:
        page = open_page(**options)
        page.goto(guarded.url)
        page.get_by_role("link", name="Sign in with Microsoft").click()
        page.get_by_label("As").select_option(people.BY_ALIAS[alias].address)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(f"{guarded.url}/**")
        return page

    return sign_one


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A directory for what processes write."""
    return tmp_path / "processes"
