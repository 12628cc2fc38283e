import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from cloud.errors import CloudError, TokenRefused
from cloud.tokens import FixedTokens, MsalTokens
from kernel.clock import FrozenClock
from tests.cloud.scripted import AT

SCOPE = "https://graph.example.com/.default"


class CountingApp:
    """An Entra that hands out t1, t2, … or raises what it is told to."""

    def __init__(self, *, expires_in: int = 3600) -> None:
        self.fetched = 0
        self.expires_in = expires_in
        self.failure: CloudError | None = None
        self.closed = False
        self.answer: Mapping[str, Any] | None = None

    def fetch(self, scope: str) -> Mapping[str, Any]:
        self.fetched += 1
        if self.failure is not None:
            raise self.failure
        return self.answer or {"access_token": f"t{self.fetched}", "expires_in": self.expires_in}

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def app() -> CountingApp:
    return CountingApp()


@pytest.fixture
def frozen() -> FrozenClock:
    return FrozenClock(AT)


@pytest.fixture
def tokens(app: CountingApp, frozen: FrozenClock) -> MsalTokens:
    return MsalTokens(app, clock=frozen)


async def test_many_who_wait_cause_one_fetch(tokens, app) -> None:
    assert set(await asyncio.gather(*[tokens.get(SCOPE) for _ in range(20)])) == {"t1"}
    assert await tokens.get(SCOPE) == "t1"
    assert app.fetched == 1


async def test_each_scope_has_its_own_token(tokens) -> None:
    assert await tokens.get(SCOPE) == "t1"
    assert await tokens.get("https://contoso.crm.example.com/.default") == "t2"


async def test_the_next_token_is_fetched_before_the_first_ends_and_nobody_waits(
    tokens, app, frozen
) -> None:
    await tokens.get(SCOPE)
    frozen.advance(3600 * 0.7 + 1)
    assert await tokens.get(SCOPE) == "t1"
    await _until(lambda: app.fetched == 2)
    assert await tokens.get(SCOPE) == "t2"


async def test_a_token_at_its_end_is_not_handed_out(tokens, frozen) -> None:
    await tokens.get(SCOPE)
    frozen.advance(3600 - 59)
    assert await tokens.get(SCOPE) == "t2"


async def test_a_refused_token_is_fetched_anew_once_for_all(tokens, app, frozen) -> None:
    await tokens.get(SCOPE)
    frozen.advance(10.0)
    assert set(await asyncio.gather(*[tokens.renew(SCOPE) for _ in range(5)])) == {"t2"}
    assert await tokens.get(SCOPE) == "t2"
    assert await tokens.renew(SCOPE) == "t2"
    assert app.fetched == 2


async def test_a_renewal_that_fails_leaves_no_refused_token_behind(tokens, app, frozen) -> None:
    await tokens.get(SCOPE)
    frozen.advance(10.0)
    app.failure = TokenRefused("no")
    for _ in range(2):
        with pytest.raises(TokenRefused):
            await tokens.renew(SCOPE)
    app.failure = None
    frozen.advance(5.0)
    assert await tokens.get(SCOPE) == "t3"


async def test_an_answer_without_a_token_is_a_refusal(tokens, app) -> None:
    app.answer = {"expires_in": "soon"}
    with pytest.raises(TokenRefused):
        await tokens.get(SCOPE)


async def test_a_failure_is_kept_for_five_seconds_and_then_forgotten(tokens, app, frozen) -> None:
    app.failure = TokenRefused("no", service_code="AADSTS7000215")
    for _ in range(3):
        with pytest.raises(TokenRefused):
            await tokens.get(SCOPE)
    assert app.fetched == 1
    app.failure = None
    frozen.advance(5.0)
    assert await tokens.get(SCOPE) == "t2"


async def test_a_failed_early_renewal_does_no_harm_while_the_token_lives(
    tokens, app, frozen
) -> None:
    await tokens.get(SCOPE)
    app.failure = TokenRefused("no")
    frozen.advance(3000)
    assert await tokens.get(SCOPE) == "t1"
    await _until(lambda: app.fetched == 2)
    assert await tokens.get(SCOPE) == "t1"


async def test_a_caller_who_gives_up_takes_the_token_from_nobody(tokens, app) -> None:
    hasty = asyncio.create_task(tokens.get(SCOPE))
    patient = asyncio.create_task(tokens.get(SCOPE))
    await asyncio.sleep(0)
    hasty.cancel()
    assert await patient == "t1"
    assert app.fetched == 1


async def test_closing_closes_the_connections(tokens, app) -> None:
    await tokens.get(SCOPE)
    await tokens.aclose()
    assert app.closed


async def test_the_twin_hands_out_what_it_was_given() -> None:
    twin = FixedTokens({SCOPE: "fixed"})
    assert await twin.get(SCOPE) == "fixed"
    assert await twin.renew(SCOPE) == "fixed-1"


async def _until(condition) -> None:
    for _ in range(200):
        await asyncio.sleep(0.005)
        if condition():
            await asyncio.sleep(0.01)
            return
    raise AssertionError("It did not happen.")
