"""The API of a whole guard: a person whom Entra proves asks what was decided, and acts by name."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator

import httpx
import pytest

from sandbox import people
from tests.browser.world import World, world

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("api")) as found:
        yield found


@pytest.fixture
def client(guarded: World) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{guarded.url}/api/v1", timeout=30) as one:
        yield one


def heads_of(guarded: World, person: people.Sample) -> dict[str, str]:
    """Return what a program sends that somebody signed in to with Entra."""
    settings = guarded.settings
    trust = ssl.create_default_context(cafile=settings["ca_bundle_file"])
    with httpx.Client(verify=trust, timeout=30) as entra:
        answer = entra.post(
            f"{settings['authority_url']}/oauth2/v2.0/token",
            data={
                "grant_type": "password",
                "client_id": settings["client_id"],
                "username": person.address,
                "password": people.PASSWORD,
                "scope": f"api://{settings['client_id']}/.default",
            },
        )
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


def test_what_was_rejected_is_found_told_and_drafted_from(
    guarded: World, client: httpx.Client
) -> None:
    assert client.get("/decisions").status_code == 401
    heads = heads_of(guarded, people.EXCHANGE_ADMIN)
    search = {"decision": "reject", "address": people.CEO.address, "by_edit": "true"}
    [one] = client.get("/decisions", headers=heads, params=search).json()["items"]
    assert one["actor"]["upn"] == people.BOB.address
    path = f"/decisions/{one['id']}"
    whole = client.get(path, headers=heads).json()
    printed = json.loads(guarded.command("decisions", "show", one["id"], "--output", "json"))
    assert whole == printed
    why = client.get(f"{path}/explanation", headers=heads).json()
    assert why["decision"] == "reject"
    assert client.get(f"{path}/replay", headers=heads).json()["same"] is True
    assert "kind: Test" in client.get(f"{path}/test", headers=heads).json()["files"][0]["text"]
    fired = {
        rule["id"]: rule["fired"]
        for policy in client.get("/policies", headers=heads).json()["policies"]
        for rule in policy["rules"]
    }
    assert all(fired[rule] >= 1 for rule in one["rules"])


def test_a_mailbox_is_withdrawn_by_name_and_stays_so(guarded: World, client: httpx.Client) -> None:
    reader, operator = heads_of(guarded, people.ADMIN), heads_of(guarded, people.EXCHANGE_ADMIN)
    path, told = f"/mailboxes/{people.BOB.address}/withdraw", {"reason": "To be looked at."}
    assert client.post(path, headers=reader, json=told).status_code == 403
    answer = client.post(path, headers=operator, json=told)
    assert answer.json()["done"] is True
    [one] = [
        one
        for one in json.loads(guarded.command("mailboxes", "list", "--output", "json"))
        if one["address"] == people.BOB.address
    ]
    assert (one["approved"], one["withdrawn_by"]) == (False, answer.json()["by"])


def test_a_path_that_leads_nowhere_is_a_problem_for_a_program_and_a_page_for_a_browser(
    guarded: World,
) -> None:
    for path in ("/webhook/dataverse", "/api/v2", "/api/v1/nothing"):
        answer = httpx.get(guarded.url + path)
        assert answer.status_code == answer.json()["status"] == 404
        assert answer.headers["content-type"] == "application/problem+json"
    answer = httpx.get(f"{guarded.url}/nothing", headers={"Accept": "text/html"})
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")
