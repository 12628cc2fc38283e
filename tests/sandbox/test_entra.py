"""Sign-in: what a token says, and how a refusal reads."""

from __future__ import annotations

from typing import Any

import httpx
import jwt
import pytest

from sandbox import people
from sandbox.server import Sandbox
from tests.sandbox import msal_judge


async def ask(sandbox: Sandbox, client: httpx.AsyncClient, **changes: Any) -> httpx.Response:
    identity = sandbox.guard_identity
    form = {
        "grant_type": "client_credentials",
        "client_id": identity.client_id,
        "client_secret": identity.secret,
        "scope": f"{sandbox.graph_url}/.default",
    } | changes
    tenant = form.pop("tenant", sandbox.directory.tenant_id)
    origin = sandbox.authority_url.rsplit("/", 1)[0]
    return await client.post(f"{origin}/{tenant}/oauth2/v2.0/token", data=form)


async def checked(sandbox: Sandbox, client: httpx.AsyncClient, token: str, audience: str) -> Any:
    """Verify a token as a stranger would: by metadata and published keys."""
    metadata = await client.get(f"{sandbox.authority_url}/v2.0/.well-known/openid-configuration")
    keys = (await client.get(metadata.json()["jwks_uri"])).json()
    key = jwt.PyJWKSet.from_dict(keys)[jwt.get_unverified_header(token)["kid"]]
    return jwt.decode(token, key, algorithms=["RS256"], audience=audience)


async def test_an_application_token_says_what_it_should(sandbox, client) -> None:
    answer = (await ask(sandbox, client)).json()
    assert (answer["token_type"], answer["expires_in"]) == ("Bearer", 3599)
    claims = await checked(sandbox, client, answer["access_token"], sandbox.graph_url)
    assert claims["iss"] == f"https://sts.windows.net/{sandbox.directory.tenant_id}/"
    assert claims["appid"] == people.GUARD_CLIENT_ID
    assert claims["tid"] == sandbox.directory.tenant_id
    assert (claims["idtyp"], claims["appidacr"]) == ("app", "1")
    assert "Directory.Read.All" in claims["roles"]
    assert not [role for role in claims["roles"] if role.startswith("Mail.")]


async def test_a_scope_of_dataverse_gives_no_graph_roles(sandbox, client) -> None:
    scope = f"{sandbox.dataverse_url}/.default"
    answer = (await ask(sandbox, client, scope=scope)).json()
    claims = await checked(sandbox, client, answer["access_token"], sandbox.dataverse_url)
    assert "roles" not in claims


async def test_a_person_signs_in_for_the_guards_own_api(sandbox, client) -> None:
    answer = await ask(
        sandbox,
        client,
        grant_type="password",
        username=people.APPROVER.address,
        password=people.PASSWORD,
        scope=f"api://{people.GUARD_CLIENT_ID}/.default openid",
    )
    claims = await checked(sandbox, client, answer.json()["access_token"], people.GUARD_CLIENT_ID)
    assert (claims["oid"], claims["upn"]) == (people.APPROVER.object_id, people.APPROVER.address)
    assert claims["iss"] == f"{sandbox.authority_url}/v2.0"
    assert "id_token" in answer.json()


@pytest.mark.parametrize(
    ("changes", "status", "number"),
    [
        ({"client_secret": "wrong"}, 401, 7000215),
        ({"client_secret": ""}, 401, 7000216),
        ({"client_secret": "old"}, 401, 7000222),
        ({"client_id": "00000000-0000-0000-0000-000000000001"}, 400, 700016),
        ({"tenant": "fabrikam.com"}, 400, 90002),
        ({"scope": "https://nowhere.example.com/.default"}, 400, 500011),
        ({"scope": "https://nowhere.example.com/Mail.Read"}, 400, 1002012),
        ({"scope": ""}, 400, 70011),
        ({"grant_type": "implicit"}, 400, 70003),
        ({"client_assertion": "x.y.z", "client_assertion_type": "jwt"}, 400, 900144),
        ({"grant_type": "password", "username": "nobody@contoso.com"}, 400, 50034),
        ({"grant_type": "password", "username": "anna@contoso.com", "password": "x"}, 400, 50126),
    ],
)
async def test_refusals_read_as_documented(changes, status, number, sandbox, client) -> None:
    sandbox.directory.applications[people.GUARD_CLIENT_ID].expired_secrets.add("old")
    answer = await ask(sandbox, client, **changes)
    body = answer.json()
    assert (answer.status_code, body["error_codes"]) == (status, [number])
    assert body["error_description"].startswith(f"AADSTS{number}: ")
    assert {"error", "timestamp", "trace_id", "correlation_id", "error_uri"} <= set(body)


@pytest.mark.parametrize(
    ("name", "served"),
    [
        ("https://graph.microsoft.com", "graph_url"),
        ("https://graph.microsoft.us", "graph_url"),
        ("https://contoso.crm4.dynamics.com", "dataverse_url"),
    ],
)
async def test_the_scopes_that_clients_have_by_default_mean_the_sandbox(
    sandbox, client, name: str, served: str
) -> None:
    answer = (await ask(sandbox, client, scope=f"{name}/.default")).json()
    await checked(sandbox, client, answer["access_token"], getattr(sandbox, served))


@pytest.mark.parametrize(
    "name", ["https://graph.microsoft.com.evil.example", "https://crm.dynamics.com.evil.example"]
)
async def test_a_name_that_only_looks_like_one_is_unknown(sandbox, client, name: str) -> None:
    answer = (await ask(sandbox, client, scope=f"{name}/.default")).json()
    assert answer["error_codes"] == [500011]


async def test_msal_signs_a_person_in_by_a_device_code(sandbox, client) -> None:
    """The person types the code into the page; the device, msal, has been asking meanwhile."""
    flow, finish = await msal_judge.msal_device_flow(sandbox)
    page = (await client.get(flow["verification_uri"])).text
    assert people.BOB.address in page
    wrong = {"user_code": "NOT-A-CODE", "upn": people.BOB.address}
    assert (await client.post(flow["verification_uri"], data=wrong)).status_code == 400
    form = {"user_code": flow["user_code"].lower(), "upn": people.BOB.address}
    assert (await client.post(flow["verification_uri"], data=form)).status_code == 200
    result = await finish()
    claims = await checked(sandbox, client, result["access_token"], sandbox.dataverse_url)
    assert claims["upn"] == people.BOB.address
    again = {"grant_type": "device_code", "device_code": flow["device_code"]}
    refused = await ask(sandbox, client, client_id=people.PUBLIC_CLIENT_ID, **again)
    assert refused.json()["error"] == "bad_verification_code"


async def test_a_device_that_nobody_signed_in_for_waits(sandbox, client) -> None:
    flow, _ = await msal_judge.msal_device_flow(sandbox)
    grant = "urn:ietf:params:oauth:grant-type:device_code"
    named = {"grant_type": grant, "device_code": flow["device_code"]}
    answer = await ask(sandbox, client, client_id=people.PUBLIC_CLIENT_ID, **named)
    assert answer.json()["error"] == "authorization_pending"
    other = await ask(sandbox, client, **named)
    assert other.json()["error"] == "bad_verification_code"


@pytest.mark.parametrize("sample", people.SAMPLES, ids=lambda one: one.alias)
async def test_every_seeded_person_has_a_ready_token(sandbox, client, sample) -> None:
    origin = sandbox.authority_url.rsplit("/", 1)[0]
    url = f"{origin}/sandbox/token?person={sample.address}"
    token = (await client.get(url)).text
    claims = await checked(sandbox, client, token, sandbox.dataverse_url)
    assert claims["upn"] == sample.address
    who = await client.get(
        f"{sandbox.dataverse_url}/api/data/v9.2/WhoAmI",
        headers={"Authorization": f"Bearer {token}"},
    )
    assert who.json()["UserId"] == sample.user_id


async def test_nobody_has_no_ready_token(sandbox, client) -> None:
    origin = sandbox.authority_url.rsplit("/", 1)[0]
    assert (
        await client.get(f"{origin}/sandbox/token?person=nobody@contoso.com")
    ).status_code == 404
