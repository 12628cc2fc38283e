"""Entra through Graph: which plans of a user are in force, what a mailbox is for."""

from __future__ import annotations

from typing import Any

import pytest

from guard.ports.directory import GraphDirectory
from kernel.errors import GuardError
from tests.cloud.scripted import USER, Reply, Scripted, ok, problem


def a_plan(service: Any = "exchange", status: Any = "Enabled") -> dict[str, Any]:
    return {"service": service, "capabilityStatus": status}


@pytest.mark.parametrize(
    ("plans", "licensed"),
    [
        ([a_plan("SharePoint"), a_plan()], True),
        ([a_plan("Exchange", "Warning")], True),
        ([a_plan(status="Suspended"), a_plan(status="Deleted")], False),
        ([a_plan("SharePoint")], False),
        ([a_plan(None, None), "odd"], False),
        ([], False),
        (None, False),
    ],
)
async def test_an_exchange_plan_counts_while_it_is_in_force(plans: Any, licensed: bool) -> None:
    service = Scripted(ok({"id": USER, "assignedPlans": plans}))
    assert await GraphDirectory(service.graph).has_exchange(USER) is licensed
    assert service.decoded == [f"GET /v1.0/users/{USER}?$select=id,assignedPlans"]


async def test_whoever_is_not_there_has_no_answer() -> None:
    service = Scripted(problem(404, "Request_ResourceNotFound"))
    assert await GraphDirectory(service.graph).has_exchange(USER) is None


@pytest.mark.parametrize("purpose", ["user", "linked", "shared", "room", "equipment", "others"])
async def test_a_purpose_is_read_and_counted_as_a_look_into_the_directory(purpose: str) -> None:
    service = Scripted(ok({"userPurpose": purpose}))
    assert await GraphDirectory(service.graph).mailbox_purpose(USER) == purpose
    assert service.decoded == [f"GET /v1.0/users/{USER}/mailboxSettings?$select=userPurpose"]
    (access,) = service.accesses
    assert (access.kind, access.mailbox) == ("directory", "")
    assert access.reason == "guard: read what an owner's mailbox is for"


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (problem(404, "MailboxNotEnabledForRESTAPI"), "Exchange Online has no mailbox of the ow"),
        (problem(404, "Request_ResourceNotFound"), "Exchange Online has no mailbox of the owner"),
        (problem(404), "the service answered 404"),
        (problem(403, "ErrorAccessDenied"), "MailboxSettings.Read"),
        (problem(401, "InvalidAuthenticationToken"), "the service answered 401"),
        (ok({}), "does not say"),
        (ok({"userPurpose": None}), "does not say"),
        (ok({"userPurpose": "unknownFutureValue"}), "does not say"),
        (ok({"userPurpose": "Shared"}), "does not say"),
        (ok({"userPurpose": ["shared"]}), "does not say"),
    ],
)
async def test_what_is_no_purpose_is_a_reason(reply: Reply, told: str) -> None:
    with pytest.raises(GuardError) as caught:
        await GraphDirectory(Scripted(reply).graph).mailbox_purpose(USER)
    assert told in caught.value.message
    assert not caught.value.transient
