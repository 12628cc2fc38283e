from __future__ import annotations

import json
from typing import Any

import pytest

from guard.ports.rows import UserRow
from kernel.clock import FrozenClock
from kernel.database import Database
from tests.guard.builders import (
    ADMIN_ID,
    MAILBOX_BEFORE,
    MAILBOX_ID,
    QUEUE_ID,
    choice,
    context,
    reference,
)
from tests.guard.house import Worked, a_worked_house

MOVED = {"emailaddress": "Anna@contoso.com", "username": "anna"}
CEO = {"emailaddress": "ceo@contoso.com"}


@pytest.fixture
def worked(database: Database, clock: FrozenClock) -> Worked:
    return a_worked_house(database, clock)


async def test_a_committed_change_confirms_the_decision_that_allowed_it(worked: Worked) -> None:
    first = await worked.deliver({"username": "anna"})
    worked.house.policies.swap(none_allowed())
    answer = await worked.deliver({"username": "anna"}, mode=1)
    assert answer.body["decision"] == "allow"
    newest = worked.decisions()[0]
    shown = worked.database.read_now(lambda c: shown_of(c, newest["id"]))
    assert shown["confirms"] == first.body["decision_id"]


@pytest.mark.parametrize(
    "difference",
    [
        {"actor": ADMIN_ID},
        {"target": {"username": "other"}},
        {"before": MAILBOX_BEFORE | {"statecode": choice(1)}},
        {"record_id": QUEUE_ID},
    ],
)
async def test_any_difference_is_decided_anew(worked: Worked, difference: dict[str, Any]) -> None:
    await worked.deliver({"username": "anna"})
    worked.house.policies.swap(none_allowed())
    answer = await worked.deliver(**({"target": {"username": "anna"}, "mode": 1} | difference))
    assert answer.body["decision"] == "reject"


async def test_a_decision_confirms_only_one_change(worked: Worked) -> None:
    await worked.deliver({"username": "anna"})
    await worked.deliver({"username": "anna"}, mode=1)
    worked.house.policies.swap(none_allowed())
    answer = await worked.deliver({"username": "anna"}, mode=1)
    assert answer.body["decision"] == "reject"


async def test_a_rejected_change_that_was_committed_all_the_same_is_reverted(
    worked: Worked,
) -> None:
    assert (await worked.deliver(CEO)).status == 403
    worked.house.rows.put("mailbox", MAILBOX_ID, **CEO)
    await worked.deliver(CEO, mode=1)
    assert worked.house.rows.written[0].columns["emailaddress"] == "anna@contoso.com"


async def test_a_deferred_create_is_judged_at_stage_40(worked: Worked) -> None:
    columns = {
        "emailaddress": "new@contoso.com",
        "emailrouteraccessapproval": choice(0),
        "regardingobjectid": reference("systemuser", QUEUE_ID),
    }
    first = await worked.deliver(columns, message="Create")
    assert (first.status, first.body["cause"]) == (200, "deferred")
    worked.house.rows.users[QUEUE_ID] = UserRow(QUEUE_ID, "new@contoso.com")
    good = await worked.deliver(columns, message="Create", mode=1)
    assert (good.body["decision"], good.body["cause"]) == ("allow", "rules")
    wrong = columns | {"emailaddress": "ceo@contoso.com"}
    bad = await worked.deliver(wrong, message="Create", mode=1)
    assert bad.body["decision"] == "reject"


class TestStripped:
    def posted(self) -> bytes:
        stripped = context({}, mode=1)
        for name in ("InputParameters", "PreEntityImages", "PostEntityImages", "ParentContext"):
            del stripped[name]
        return json.dumps(stripped).encode()

    async def test_the_committed_row_is_read_and_judged_against_the_mirror(
        self, worked: Worked
    ) -> None:
        await worked.reconciler.run()
        worked.house.rows.put("mailbox", MAILBOX_ID, **CEO)
        answer = await worked.house.post(self.posted())
        assert (answer.status, answer.body["decision"]) == (200, "reject")
        await worked.workers.run_due()
        assert worked.house.rows.written[0].columns["emailaddress"] == "anna@contoso.com"

    async def test_a_legitimate_row_is_allowed(self, worked: Worked) -> None:
        await worked.reconciler.run()
        answer = await worked.house.post(self.posted())
        assert (answer.status, answer.body["decision"]) == (200, "allow")

    async def test_an_unreadable_row_is_examined_later(
        self, worked: Worked, clock: FrozenClock
    ) -> None:
        await worked.reconciler.run()
        worked.house.rows.put("mailbox", MAILBOX_ID, **CEO)
        worked.house.rows.is_down = True
        answer = await worked.house.post(self.posted())
        assert (answer.status, answer.body["decision"]) == (200, "reject")
        await worked.workers.run_due()
        assert worked.decisions()[0]["obligations"][0]["state"] == "queued"
        worked.house.rows.is_down = False
        clock.advance(60)
        await worked.workers.run_due()
        await worked.workers.run_due()
        assert worked.house.rows.written[0].columns["emailaddress"] == "anna@contoso.com"

    async def test_a_row_that_is_gone_is_recorded(self, worked: Worked) -> None:
        worked.house.rows.remove("mailbox", MAILBOX_ID)
        answer = await worked.house.post(self.posted())
        assert (answer.status, answer.body["cause"]) == (200, "stripped")


def shown_of(connection: Any, decision_id: str) -> dict[str, Any]:
    from guard.ledger.listing import get_decision

    return get_decision(connection, decision_id)


def none_allowed() -> Any:
    from rules.load.loader import load_documents

    return load_documents(
        {
            "p.yaml": """
apiVersion: guard/v1
kind: Policy
name: none-allowed
title: Nothing passes
severity: high
mode: enforce
match: {entity: mailbox, operations: [create, update]}
rules:
  - id: never
    require: [{field: statecode, equals: inactive}, {field: statecode, equals: active}]
    message: Nothing may change.
"""
        }
    )
