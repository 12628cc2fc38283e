"""Notifications inside the apps, as an action sends them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sandbox.people import ANNA
from sandbox.server import Sandbox

WELCOME = {"Title": "Welcome", "Recipient": f"/systemusers({ANNA.user_id})"}
EXPANDO = "Microsoft.Dynamics.CRM.expando"


async def test_a_notification_belongs_to_its_recipient_and_keeps_its_actions(
    sandbox: Sandbox, webapi: Any
) -> None:
    actions = {
        "@odata.type": EXPANDO,
        "actions@odata.type": f"#Collection({EXPANDO})",
        "actions": [
            {"title": "Look", "data": {"@odata.type": f"#{EXPANDO}", "type": "url", "url": "?x"}}
        ],
    }
    body = WELCOME | {"Body": "Hello.", "Expiry": 60, "Actions": actions}
    answer = await webapi("admin", "POST", "SendAppNotification", json=body)
    assert answer.status_code == 200
    (row,) = sandbox.rows("appnotification")
    assert row["appnotificationid"] == answer.json()["NotificationId"]
    assert (row["ownerid"].id, row["title"], row["body"]) == (ANNA.user_id, "Welcome", "Hello.")
    assert (row["icontype"], row["ttlinseconds"]) == (100000000, 60)
    assert json.loads(row["data"]) == {
        "actions": [{"title": "Look", "data": {"type": "url", "url": "?x"}}]
    }
    found = await webapi(
        "admin",
        "GET",
        f"appnotifications?$filter=_ownerid_value eq {ANNA.user_id} and contains(body,'Hello')",
    )
    assert len(found.json()["value"]) == 1


async def test_a_privilege_of_its_own_is_needed(sandbox: Sandbox, webapi: Any) -> None:
    answer = await webapi("desk", "POST", "SendAppNotification", json=WELCOME)
    assert answer.status_code == 403
    assert "prvSendAppNotification" in answer.json()["error"]["message"]
    assert sandbox.rows("appnotification") == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"Title": "Welcome"}, 400),
        (WELCOME | {"Title": ""}, 400),
        (WELCOME | {"Body": "x" * 501}, 400),
        (WELCOME | {"IconType": "info"}, 400),
        (WELCOME | {"Colour": "red"}, 400),
        (WELCOME | {"Recipient": "/systemusers(11111111-2222-4333-8444-555555555555)"}, 404),
    ],
)
async def test_what_is_not_valid_is_refused(webapi: Any, body: Any, status: int) -> None:
    answer = await webapi("admin", "POST", "SendAppNotification", json=body)
    assert answer.status_code == status, answer.text
