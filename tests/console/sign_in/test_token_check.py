"""A token proves somebody only if our authority signed it, for us, for now."""

from __future__ import annotations

from collections.abc import Callable

import jwt
import pytest

from console.sign_in.refusals import SignInRefused
from console.sign_in.token_check import MOST_BYTES, TokenCheck
from kernel.clock import FrozenClock
from kernel.errors import Unavailable
from tests.console.sign_in.conftest import CLIENT, PERSON, TENANT, MemoryAuthority


async def test_a_good_token_proves_its_person(
    authority: MemoryAuthority, check: TokenCheck
) -> None:
    for audience in (CLIENT, f"api://{CLIENT}"):
        found = await check.bearer(f"Bearer {authority.token(audience=audience)}")
        assert found.object_id == PERSON
        assert found.may_approve


@pytest.mark.parametrize(
    "wrong",
    [
        {"audience": "00000003-0000-0000-c000-000000000000"},
        {"iss": f"https://sts.windows.net/{TENANT}/"},
        {"iss": "https://login.example.com/another/v2.0"},
        {"tid": "9a3c0e5e-3f4d-4e9e-8d0b-0c2a7b1f9d11"},
        {"tid": None},
        {"exp": 1},
        {"nbf": 4_102_444_800},
        {"exp": "soon"},
        {"scp": None},
        {"scp": ""},
        {"oid": None},
        {"roles": None},
    ],
    ids=str,
)
async def test_a_token_that_is_not_for_us_and_now_proves_nobody(
    authority: MemoryAuthority, check: TokenCheck, wrong: dict[str, object]
) -> None:
    with pytest.raises(SignInRefused):
        await check.bearer(f"Bearer {authority.token(**wrong)}")  # type: ignore[arg-type]


async def test_a_token_of_another_key_proves_nobody(
    authority: MemoryAuthority, check: TokenCheck, forged: Callable[..., str]
) -> None:
    with pytest.raises(SignInRefused, match="signature"):
        await check.bearer(f"Bearer {forged(authority.token())}")


async def test_the_algorithm_is_not_the_tokens_to_choose(
    authority: MemoryAuthority, check: TokenCheck, forged: Callable[..., str]
) -> None:
    token = authority.token()
    for algorithm, key in (("none", None), ("HS256", "k" * 64), ("RS512", None)):
        options = {"key": key} if algorithm != "RS512" else {}
        with pytest.raises(SignInRefused):
            await check.bearer(f"Bearer {forged(token, algorithm=algorithm, **options)}")


@pytest.mark.parametrize("header", ["", "Basic abc", "Bearer", "Bearer a.b.c", "Bearer " + "é" * 9])
async def test_what_is_no_token_is_refused(check: TokenCheck, header: str) -> None:
    with pytest.raises(SignInRefused):
        await check.bearer(header)


async def test_a_token_of_any_length_is_not_read(check: TokenCheck) -> None:
    with pytest.raises(SignInRefused, match="longer"):
        await check.bearer("Bearer " + "a" * (MOST_BYTES + 1))


async def test_a_token_ends(
    authority: MemoryAuthority, check: TokenCheck, clock: FrozenClock
) -> None:
    token = authority.token()
    clock.advance(3600 + 59)
    await check.bearer(f"Bearer {token}")
    clock.advance(2)
    with pytest.raises(SignInRefused, match="ended"):
        await check.bearer(f"Bearer {token}")


async def test_without_keys_nobody_is_believed(
    authority: MemoryAuthority, check: TokenCheck
) -> None:
    authority.is_down = True
    with pytest.raises(Unavailable):
        await check.bearer(f"Bearer {authority.token()}")


async def test_no_claim_is_read_before_the_signature(
    authority: MemoryAuthority, check: TokenCheck
) -> None:
    head, body, _ = authority.token().split(".")
    with pytest.raises(SignInRefused):
        await check.claims(f"{head}.{body}.")
    assert jwt.get_unverified_header(authority.token())["alg"] == "RS256"
