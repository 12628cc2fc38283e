"""A person whose edit is refused reads why, in Dataverse, through real processes."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from sandbox import people
from tests.end_to_end.processes import PATIENCE_SECONDS, Processes, Running

pytestmark = pytest.mark.slow
API = "/api/data/v9.2"
GERMAN = 1031


class Organization:
    """The sandbox's Dataverse, as its application user reaches it."""

    def __init__(self, settings: dict[str, str]) -> None:
        self._url = settings["dataverse_url"]
        trust = ssl.create_default_context(cafile=settings["ca_bundle_file"])
        self._client = httpx.Client(verify=trust, trust_env=False, timeout=30)
        answer = self._client.post(
            f"{settings['authority_url']}/oauth2/v2.0/token",
            data={
                "grant_type": "client_credentials",
                "client_id": settings["client_id"],
                "client_secret": settings["client_secret"],
                "scope": f"{self._url}/.default",
            },
        )
        self.close = self._client.close
        self._token = answer.json()["access_token"]

    def send(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self._token}"}
        return self._client.request(method, f"{self._url}{API}/{path}", headers=headers, **options)

    def notifications(self) -> list[dict[str, Any]]:
        path = f"appnotifications?$filter=_ownerid_value eq {people.ANNA.user_id}"
        found: list[dict[str, Any]] = self.send("GET", path).json()["value"]
        return found


def until(condition: Callable[[], bool], server: Running) -> None:
    give_up = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < give_up, server.shown()
        time.sleep(0.05)  # noqa: TID251 - a real process takes real time.


def delivery(operation: int) -> bytes:
    """What Dataverse posts when Anna gives her mailbox the address of the CEO."""
    from tests.guard.builders import MAILBOX_BEFORE, context, reference

    owner = reference("systemuser", people.ANNA.user_id)
    sent = context(
        {"emailaddress": people.CEO.address},
        before=MAILBOX_BEFORE | {"ownerid": owner, "regardingobjectid": owner},
        record_id=people.ANNA.mailbox_id,
        actor=people.ANNA.user_id,
        operation_id=f"0e000000-0000-4000-8000-{operation:012d}",
        OrganizationId=people.ORGANIZATION_ID,
    )
    return json.dumps(sent).encode()


def test_whoever_is_refused_reads_why_once_and_in_their_language(group: Processes) -> None:
    _, cloud = group.sandbox()
    organization = Organization(cloud)
    # Her own choice of language; what is only updated must be there.
    settings = f"usersettingscollection({people.ANNA.user_id})"
    chosen = organization.send("PATCH", settings, json={"uilanguageid": GERMAN})
    assert chosen.status_code == 204, chosen.text
    server = group.serve("--no-sync", **cloud, console_url="https://guard.contoso.com")

    def refused(operation: int) -> str:
        url = f"{server.url}/webhooks/dataverse?code={group.settings['webhook_keys']}"
        answer = httpx.post(url, content=delivery(operation), timeout=30)
        assert answer.status_code == 403, answer.text
        decision_id: str = answer.json()["decision_id"]
        return decision_id

    decision_id = refused(1)
    until(lambda: bool(organization.notifications()), server)
    (notification,) = organization.notifications()
    assert notification["title"] == "Ihre Änderung (Postfach) wurde nicht angenommen"
    assert notification["body"].endswith(f"Entscheidung {decision_id}.")
    assert people.CEO.address in notification["body"]
    links = [one["data"]["url"] for one in json.loads(notification["data"])["actions"]]
    assert links == [
        f"?pagetype=entityrecord&etn=mailbox&id={people.ANNA.mailbox_id}",
        f"https://guard.contoso.com/decisions/{decision_id}",
    ]

    # The very delivery again, the edit again, and a process that starts anew: told once.
    assert refused(1) == decision_id
    second = refused(2)
    server.kill()
    server = group.serve("--no-sync", **cloud, console_url="https://guard.contoso.com")

    def result_of(decision: str) -> str | None:
        shown = json.loads(group.run("decisions", "show", decision, "--output", "json").stdout)
        (one,) = shown["obligations"]
        assert one["kind"] == "notify"
        result: str | None = one["result"]
        return result

    until(lambda: result_of(second) is not None, server)
    assert result_of(second) == f"told of the same by decision {decision_id}"
    assert result_of(decision_id) == "told"
    assert len(organization.notifications()) == 1
    counted = httpx.get(f"{server.url}/metrics").text
    assert "mailbox_guard_notices_total" in counted
    assert server.terminate() == 0, server.shown()
    organization.close()


def test_it_is_off_with_one_setting(group: Processes) -> None:
    _, cloud = group.sandbox()
    server = group.serve("--no-sync", **cloud, notifications="false")
    url = f"{server.url}/webhooks/dataverse?code={group.settings['webhook_keys']}"
    assert httpx.post(url, content=delivery(1), timeout=30).status_code == 403
    listed = json.loads(group.run("decisions", "list", "--output", "json").stdout)
    assert [one["obligations"] for one in listed] == [[]]
