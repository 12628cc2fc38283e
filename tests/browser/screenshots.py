"""`python -m tests.browser.screenshots` makes the pictures of the console in docs/images anew.

What they show happened: edits on the sandbox, decided by a guard that `serve` runs. Only the days
before are recorded beforehand, so that the chart has some.
"""

from __future__ import annotations

import asyncio
import random
import shutil
import tempfile
from datetime import timedelta
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from console import schema
from kernel.clock import FrozenClock, SystemClock
from kernel.database import Database
from rules.load.loader import load
from rules.model.change import Change, Facts
from sandbox import people
from tests.browser.conftest import chromium
from tests.browser.world import World, world
from tests.console.recording import a_folder, recorded

IMAGES = Path(__file__).parents[2] / "docs" / "images"
DAYS = 13
DESKTOP = {"width": 1200, "height": 780}
PHONE = {"width": 390, "height": 780}


def main() -> None:
    """Make every picture."""
    IMAGES.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="mailbox-guard-screenshots-"))
    path = chromium()
    if path is None:
        raise SystemExit("Chromium is not installed here; `make browser` installs Debian's.")
    with world(folder, before=_past) as guarded, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        for name, size, scheme, where in (
            ("today", DESKTOP, "light", "/"),
            ("hold", DESKTOP, "light", "/holds"),
            ("mailbox", DESKTOP, "dark", f"/mailboxes/{people.BOB.mailbox_id}"),
            ("phone", PHONE, "light", "/"),
        ):
            context = browser.new_context(
                ignore_https_errors=True, viewport=size, color_scheme=scheme, locale="en-GB"
            )
            page = context.new_page()
            _sign_in(page, guarded)
            page.goto(guarded.url + where)
            if name == "hold":
                page.get_by_role("link", name=people.CEO.address).click()
            page.screenshot(path=IMAGES / f"{name}.png")
            context.close()
        browser.close()
    shutil.rmtree(folder, ignore_errors=True)


def _sign_in(page: Page, guarded: World) -> None:
    page.goto(f"{guarded.url}/sign-in/entra")
    page.get_by_label("As").select_option(people.GLOBAL_ADMIN.address)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{guarded.url}/**")


def _past(file: Path) -> None:
    """Record some edits of the days before: most as they should be, a few not."""
    file.parent.mkdir(parents=True, exist_ok=True)
    database = Database(f"sqlite:///{file}")
    database.open()
    schema.prepare(database)
    policy_set = load(a_folder(file.parent / "policies"))
    facts = Facts({"new.owner.type": "user", "new.owner.upn": people.ANNA.address})
    chosen = random.Random(11)  # noqa: S311 - only a picture.

    def change(address: str) -> Change:
        after = {"emailaddress": address}
        before = {"emailaddress": "old@contoso.com"}
        return Change("mailbox", "update", people.ANNA.mailbox_id, before, after, frozenset(after))

    async def record() -> None:
        for ago in range(DAYS, 0, -1):
            clock = FrozenClock(SystemClock().now() - timedelta(days=ago))
            wrong = chosen.choice((0, 0, 1, 1, 2, 4))
            edits = [people.ANNA.address] * chosen.randint(6, 19) + [people.CEO.address] * wrong
            await recorded(database, clock, policy_set, [(change(one), facts) for one in edits])

    asyncio.run(record())
    database.close()


if __name__ == "__main__":
    main()
