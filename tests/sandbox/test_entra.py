"""Sign-in: what a token says, and how a refusal reads."""

from __future__ import annotations

from typing import Any

import httpx
import jwt
import pytest

from sandbox import people
from sandbox.server import Sandbox


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
