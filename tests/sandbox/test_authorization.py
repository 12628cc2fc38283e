"""Signing in in a browser: who may be sent where, and what a code is good for."""

from __future__ import annotations

import httpx
import pytest

from sandbox import people
from sandbox.server import Sandbox
from tests.sandbox.msal_judge import msal_code_flow


def asked(**changes: str) -> dict[str, str]:
    return {
        "client_id": people.GUARD_CLIENT_ID,
        "response_type": "code",
        "redirect_uri": people.CONSOLE_RETURN,
        "scope": "openid profile",
        "state": "s",
        "nonce": "n",
        "code_challenge": "c" * 43,
        "code_challenge_method": "S256",
    } | changes


async def test_msal_signs_a_person_in(sandbox: Sandbox, client: httpx.AsyncClient) -> None:
    result = await msal_code_flow(sandbox, "global.admin", client)
    claims = result["id_token_claims"]
    assert claims["oid"] == people.GLOBAL_ADMIN.object_id
    assert claims["roles"] == ["Approver", "Operator"]
    assert claims["tid"] == people.TENANT_ID
    assert "refresh_token" not in result


async def test_whoever_has_no_app_role_has_no_claim(
    sandbox: Sandbox, client: httpx.AsyncClient
) -> None:
    result = await msal_code_flow(sandbox, "anna", client)
    assert "roles" not in result["id_token_claims"]


async def test_whoever_signed_in_is_sent_back_without_a_page(
    sandbox: Sandbox, client: httpx.AsyncClient
) -> None:
    await msal_code_flow(sandbox, "admin", client)
    url = f"{sandbox.authority_url}/oauth2/v2.0/authorize"
    again = await client.get(url, params=asked())
    assert again.status_code == 302
    assert (await client.get(url, params=asked(prompt="select_account"))).status_code == 200


async def test_a_silent_sign_in_of_nobody_is_told(
    sandbox: Sandbox, client: httpx.AsyncClient
) -> None:
    url = f"{sandbox.authority_url}/oauth2/v2.0/authorize"
    answer = await client.get(url, params=asked(prompt="none"))
    assert "error=login_required" in answer.headers["location"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"client_id": "nobody"},
        {"redirect_uri": "http://localhost:8080/elsewhere"},
        {"redirect_uri": "http://localhost.fabrikam.com/sign-in/entra/return"},
        {"redirect_uri": "https://localhost/sign-in/entra/return"},
    ],
)
async def test_nobody_is_sent_where_the_application_is_not(
    sandbox: Sandbox, client: httpx.AsyncClient, wrong: dict[str, str]
) -> None:
    url = f"{sandbox.authority_url}/oauth2/v2.0/authorize"
    assert (await client.get(url, params=asked(**wrong))).status_code == 400


@pytest.mark.parametrize(
    "wrong", [{"response_type": "token"}, {"code_challenge": ""}, {"scope": "profile"}]
)
async def test_another_flow_is_refused_where_it_was_asked_for(
    sandbox: Sandbox, client: httpx.AsyncClient, wrong: dict[str, str]
) -> None:
    url = f"{sandbox.authority_url}/oauth2/v2.0/authorize"
    answer = await client.get(url, params=asked(**wrong))
    assert answer.status_code == 302
    assert "error=" in answer.headers["location"]
    assert "state=s" in answer.headers["location"]


async def test_a_code_verifier_that_does_not_fit_gives_no_token(
    sandbox: Sandbox, client: httpx.AsyncClient
) -> None:
    result = await msal_code_flow(sandbox, "admin", client, code_verifier="x" * 43)
    assert 501481 in result["error_codes"]


async def test_a_code_is_good_once(sandbox: Sandbox, client: httpx.AsyncClient) -> None:
    url = f"{sandbox.authority_url}/oauth2/v2.0/authorize"
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    answer = await client.post(
        url, params=asked(code_challenge=challenge), data={"upn": people.ADMIN.address}
    )
    code = dict(httpx.URL(answer.headers["location"]).params)["code"]
    identity = sandbox.guard_identity
    form = {
        "grant_type": "authorization_code",
        "client_id": identity.client_id,
        "client_secret": identity.secret,
        "code": code,
        "code_verifier": verifier,
        "redirect_uri": people.CONSOLE_RETURN,
    }
    token = f"{sandbox.authority_url}/oauth2/v2.0/token"
    assert "id_token" in (await client.post(token, data=form)).json()
    assert 54005 in (await client.post(token, data=form)).json()["error_codes"]
