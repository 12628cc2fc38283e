"""*Policies*: what is in force reads as sentences, and a change can be tried without a trace."""

from __future__ import annotations

import httpx
import pytest

from guard.ledger.listing import list_decisions
from kernel.database import Database

OWN = "own-address-only"
CHANGE = {
    "operation": "update", "table": "mailbox",
    "column0": "address", "before0": "anna@contoso.com", "after0": "ceo@contoso.com",
    "fact0": "owner.type", "value0": "user", "fact1": "owner.upn", "value1": "anna@contoso.com",
    "fact2": "owner.entraUpn", "value2": "anna@contoso.com",
    "fact3": "addressOwner.objectId", "value3": "o2", "fact4": "owner.objectId", "value4": "o1",
}  # fmt: skip


async def test_every_policy_stands_there_with_its_mode_and_count(
    visitor: httpx.AsyncClient,
) -> None:
    page = (await visitor.get("/policies")).text
    assert f'href="/policies/{OWN}"' in page
    assert "47 policies" in page
    assert "There is none: every rule holds for everybody." in page
    assert f"<li>{OWN}/same-as-owner</li>" in page
    assert len(page) < 60_000


async def test_a_policy_is_read_out(visitor: httpx.AsyncClient) -> None:
    page = (await visitor.get(f"/policies/{OWN}")).text
    assert "Every create or update of mailbox where either emailaddress has changed" in page
    assert "it must be that either emailaddress is owner.upn" in page
    assert (await visitor.get("/policies/nothing")).status_code == 404


async def test_a_change_is_tried_and_nothing_is_recorded(
    visitor: httpx.AsyncClient, guard_database: Database
) -> None:
    assert "Decide it" in (await visitor.get("/policies/try")).text
    page = (await visitor.get("/policies/try", params=CHANGE)).text
    assert "It would be rejected" in page
    assert f"{OWN}/same-as-owner: fails, so it says reject" in page
    assert 'value="ceo@contoso.com"' in page
    assert await guard_database.read(list_decisions) == []


@pytest.mark.parametrize(
    ("altered", "told"),
    [
        ({"column0": "adress"}, "is not a field of mailbox"),
        ({"table": "nothing"}, "is no table of the catalogue"),
        ({"operation": "merge"}, "can&#39;t be tried"),
        ({"value0": "[" * 200}, "can&#39;t be read"),
        ({"value0": "{a: b}"}, "can&#39;t be tried"),
        ({"after0": "<script>alert(1)</script>", "column0": "<script>"}, "&lt;script&gt;"),
    ],
)
async def test_what_cannot_be_tried_is_said_beside_the_form(
    visitor: httpx.AsyncClient, altered: dict[str, str], told: str
) -> None:
    answer = await visitor.get("/policies/try", params={**CHANGE, **altered})
    assert answer.status_code == 400, answer.text
    assert told in answer.text
    assert "Decide it" in answer.text
    assert "<script>a" not in answer.text
