"""Entra through Graph: which plans of a user are in force."""

from __future__ import annotations

from typing import Any

import pytest

from guard.facts.directory import GraphDirectory
from tests.cloud.scripted import USER, Scripted, ok, problem


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
