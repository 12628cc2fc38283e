"""The authority's keys are known from one question, follow a roll-over, and grow old."""

from __future__ import annotations

import asyncio

import pytest

from console.sign_in.authority import (
    ASKED_APART_SECONDS,
    BELIEVED_SECONDS,
    REFRESH_AFTER_SECONDS,
    Authority,
)
from kernel.clock import FrozenClock
from kernel.errors import Unavailable
from tests.console.sign_in.conftest import URL, MemoryAuthority


@pytest.fixture
def keys(authority: MemoryAuthority, clock: FrozenClock) -> Authority:
    return Authority(URL, authority.fetch, clock)


async def test_many_who_ask_at_once_cause_one_question(
    authority: MemoryAuthority, keys: Authority
) -> None:
    found = await asyncio.gather(*(keys.issuer() for _ in range(20)))
    assert set(found) == {authority.issuer}
    assert authority.asked == 1


async def test_invented_key_ids_cause_no_more_than_one_question_a_minute(
    authority: MemoryAuthority, keys: Authority, clock: FrozenClock
) -> None:
    for number in range(50):
        assert await keys.key(f"invented-{number}") is None
    assert authority.asked == 1
    clock.advance(ASKED_APART_SECONDS)
    for number in range(50):
        assert await keys.key(f"invented-{number}") is None
    assert authority.asked == 2


async def test_a_new_key_is_learnt(
    authority: MemoryAuthority, keys: Authority, clock: FrozenClock
) -> None:
    await keys.issuer()
    authority.roll_over()
    clock.advance(ASKED_APART_SECONDS)
    assert await keys.key(authority.tokens.key_id) is not None


async def test_a_key_that_is_gone_is_forgotten(
    authority: MemoryAuthority, keys: Authority, clock: FrozenClock
) -> None:
    before = authority.tokens.key_id
    assert await keys.key(before) is not None
    authority.roll_over()
    clock.advance(REFRESH_AFTER_SECONDS + 1)
    assert await keys.key(before) is None


async def test_known_keys_outlast_an_outage_of_less_than_a_day(
    authority: MemoryAuthority, keys: Authority, clock: FrozenClock
) -> None:
    key_id = authority.tokens.key_id
    assert await keys.key(key_id) is not None
    authority.is_down = True
    clock.advance(BELIEVED_SECONDS - 1)
    assert await keys.key(key_id) is not None
    clock.advance(2)
    with pytest.raises(Unavailable):
        await keys.key(key_id)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("issuer", "https://login.example.com/{tenantid}/v2.0"),
        ("keys_url", "https://elsewhere.example.com/keys"),
        ("keys_url", "http://login.example.com/keys"),
    ],
)
async def test_an_authority_of_many_tenants_or_with_keys_elsewhere_is_not_believed(
    authority: MemoryAuthority, keys: Authority, name: str, value: str
) -> None:
    setattr(authority, name, value)
    with pytest.raises(Unavailable):
        await keys.issuer()
