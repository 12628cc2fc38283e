"""The way through Entra and back, with a sign-in that a test decides."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from console.sign_in.refusals import SignInRefused
from console.sign_in.sessions import ROLES_ASKED_AFTER, ROLES_COUNT_FOR
from kernel.clock import FrozenClock
from kernel.errors import Unavailable
from kernel.principal import Principal
from tests.console.web.conftest import OPERATOR, Console

ENTRA = "https://login.example.com/authorize?state=s"


class DecidedFlow:
    """Signs in whom a test says, if the answer carries the code that was asked for."""

    def __init__(self) -> None:
        self.is_away = False

    async def begin(self) -> dict[str, Any]:
        if self.is_away:
            raise Unavailable("Entra does not answer.")
        return {"auth_uri": ENTRA, "state": "s"}

    async def finish(self, kept: dict[str, Any], answer: Mapping[str, str]) -> Principal:
        if (answer.get("state"), answer.get("code")) != (kept["state"], "good"):
            raise SignInRefused("What came back does not belong to what was asked.")
        return OPERATOR


@pytest.fixture
def flow() -> DecidedFlow:
    return DecidedFlow()


@pytest.fixture
def console(open_console: Callable[..., Console], flow: DecidedFlow) -> Console:
    found = open_console()
    found.authentication.flow, found.authentication.link = flow, None
    return found


async def test_whoever_goes_to_entra_comes_back_to_what_they_wanted(console: Console) -> None:
    async with console.stranger() as client:
        assert "/sign-in/entra?next=/holds" in (await client.get("/sign-in?next=/holds")).text
        away = await client.get("/sign-in/entra?next=/holds")
        assert (away.status_code, away.headers["location"]) == (303, ENTRA)
        assert "Max-Age=600" in away.headers["set-cookie"]
        back = await client.get("/sign-in/entra/return?state=s&code=good")
        assert (back.status_code, back.headers["location"]) == (303, "/holds")
        assert (await client.get("/system")).status_code == 200


@pytest.mark.parametrize("query", ["state=s&code=bad", "state=t&code=good", "error=access_denied"])
async def test_another_answer_lets_nobody_in(console: Console, query: str) -> None:
    async with console.stranger() as client:
        await client.get("/sign-in/entra")
        assert (await client.get(f"/sign-in/entra/return?{query}")).status_code == 403
        assert (await client.get("/system")).status_code == 303


async def test_a_browser_that_did_not_begin_does_not_end_it(console: Console) -> None:
    async with console.stranger() as began, console.stranger() as other:
        await began.get("/sign-in/entra")
        assert (await other.get("/sign-in/entra/return?state=s&code=good")).status_code == 403


async def test_nobody_is_led_elsewhere(console: Console) -> None:
    async with console.stranger() as client:
        await client.get("/sign-in/entra?next=//fabrikam.com")
        back = await client.get("/sign-in/entra/return?state=s&code=good")
        assert back.headers["location"] == "/"


async def test_a_new_sign_in_ends_the_session_before(console: Console) -> None:
    async with await console.visitor() as client:
        before = client.cookies.get("mailbox-guard") or ""
        await client.get("/sign-in/entra")
        await client.get("/sign-in/entra/return?state=s&code=good")
        assert await console.authentication.signed_in(f"mailbox-guard={before}") is None


async def test_entra_is_asked_again_before_what_it_said_ends(
    console: Console, clock: FrozenClock, flow: DecidedFlow
) -> None:
    async with await console.visitor() as client:
        clock.advance(ROLES_ASKED_AFTER.total_seconds() - 60)
        assert (await client.get("/system")).status_code == 200
        clock.advance(60)
        asked = await client.get("/system")
        assert asked.headers["location"] == "/sign-in/entra?next=/system"
        # While Entra is away, what it said still counts for as long as it was good for.
        flow.is_away = True
        assert (await client.get("/system")).status_code == 200
        clock.advance((ROLES_COUNT_FOR - ROLES_ASKED_AFTER).total_seconds())
        assert (await client.get("/system")).headers["location"].startswith("/sign-in?next=")


async def test_entra_that_is_away_is_a_page(console: Console, flow: DecidedFlow) -> None:
    flow.is_away = True
    async with console.stranger() as client:
        answer = await client.get("/sign-in/entra")
        assert answer.status_code == 503
        assert "Entra does not answer." in answer.text


async def test_sign_ins_without_end_are_not_begun(console: Console) -> None:
    async with console.stranger() as client:
        answers = [(await client.get("/sign-in/entra")).status_code for _ in range(25)]
    assert set(answers) == {303, 429}


async def test_the_link_is_closed_where_people_sign_in(console: Console) -> None:
    async with console.stranger() as client:
        assert (await client.post("/link", data={"secret": "x"})).status_code == 403
