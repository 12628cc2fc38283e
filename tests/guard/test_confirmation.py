from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.columns.compare import differing, is_equal, is_same_change
from guard.columns.table import MAILBOX, QUEUE, SYSTEMUSER, GuardedTable
from guard.ports.rows import UserRow
from kernel.clock import FrozenClock
from kernel.database import Database
from tests.guard.assembled import AGuard, a_guard
from tests.guard.builders import (
    ADMIN_ID,
    MAILBOX_BEFORE,
    MAILBOX_ID,
    QUEUE_ID,
    choice,
    context,
    reference,
)

MOVED = {"emailaddress": "Anna@contoso.com", "username": "anna"}
CEO = {"emailaddress": "ceo@contoso.com"}


@pytest.fixture
def guard(database: Database, clock: FrozenClock) -> AGuard:
    return a_guard(database, clock)


async def test_a_committed_change_confirms_the_decision_that_allowed_it(guard: AGuard) -> None:
    first = await guard.deliver({"username": "anna"})
    guard.receiver.policies.swap(none_allowed())
    answer = await guard.deliver({"username": "anna"}, mode=1)
    assert answer.body["decision"] == "allow"
    newest = guard.decisions()[0]
    shown = guard.database.read_now(lambda c: shown_of(c, newest["id"]))
    assert shown["confirms"] == first.body["decision_id"]


@pytest.mark.parametrize(
    "difference",
    [
        {"actor": ADMIN_ID},
        {"target": {"username": "anna", "modifiedonbehalfby": reference("systemuser", ADMIN_ID)}},
        {"target": {"username": "other"}},
        {"before": MAILBOX_BEFORE | {"statecode": choice(1)}},
        {"record_id": QUEUE_ID},
    ],
)
async def test_any_difference_is_decided_anew(guard: AGuard, difference: dict[str, Any]) -> None:
    await guard.deliver({"username": "anna"})
    guard.receiver.policies.swap(none_allowed())
    answer = await guard.deliver(**({"target": {"username": "anna"}, "mode": 1} | difference))
    assert answer.body["decision"] == "reject"


async def test_an_edit_that_changed_nothing_is_no_pass_for_a_later_one(guard: AGuard) -> None:
    """Approval 1 to 1 passes the synchronous step; approval 2 to 1 then goes past it."""
    approve = {"emailrouteraccessapproval": choice(1)}
    approved = MAILBOX_BEFORE | approve
    harmless = await guard.deliver(approve, before=approved)
    assert (harmless.status, harmless.body["decision"]) == (200, "allow")
    guard.receiver.rows.put("mailbox", MAILBOX_ID, emailrouteraccessapproval=1)
    answer = await guard.deliver(approve, mode=1)
    assert answer.body["decision"] == "reject"
    assert guard.receiver.rows.written[0].columns == {"emailrouteraccessapproval": 3}
    # What it is a pass for is itself.
    confirmed = await guard.deliver(approve, mode=1, before=approved)
    shown = guard.database.read_now(lambda c: shown_of(c, confirmed.body["decision_id"]))
    assert shown["confirms"] == harmless.body["decision_id"]


@pytest.mark.parametrize("table", [MAILBOX, SYSTEMUSER, QUEUE])
@given(data=st.data())
def test_a_change_is_the_same_only_if_every_altered_column_began_the_same(
    table: GuardedTable, data: st.DataObject
) -> None:
    rows = st.fixed_dictionaries(
        {name: st.sampled_from(("", "a", "A", "b")) for name in table.flat}
    )
    before, other, after = (data.draw(rows) for _ in range(3))
    altered = differing(table.name, before, after)
    begins = all(is_equal(before[name], other[name]) for name in altered)
    ends = set(differing(table.name, other, after)) == set(altered)
    same = is_same_change(table.name, (before, after), (other, after))
    assert same == (begins and ends)


async def test_a_decision_confirms_only_one_change(guard: AGuard) -> None:
    await guard.deliver({"username": "anna"})
    await guard.deliver({"username": "anna"}, mode=1)
    guard.receiver.policies.swap(none_allowed())
    answer = await guard.deliver({"username": "anna"}, mode=1)
    assert answer.body["decision"] == "reject"


async def test_a_rejected_change_that_was_committed_all_the_same_is_reverted(
    guard: AGuard,
) -> None:
    assert (await guard.deliver(CEO)).status == 403
    guard.receiver.rows.put("mailbox", MAILBOX_ID, **CEO)
    await guard.deliver(CEO, mode=1)
    assert guard.receiver.rows.written[0].columns["emailaddress"] == "anna@contoso.com"


async def test_a_deferred_create_is_judged_at_stage_40(guard: AGuard) -> None:
    columns = {
        "emailaddress": "new@contoso.com",
        "emailrouteraccessapproval": choice(0),
        "regardingobjectid": reference("systemuser", QUEUE_ID),
    }
    first = await guard.deliver(columns, message="Create")
    assert (first.status, first.body["cause"]) == (200, "deferred")
    guard.receiver.rows.users[QUEUE_ID] = UserRow(QUEUE_ID, "new@contoso.com")
    good = await guard.deliver(columns, message="Create", mode=1)
    assert (good.body["decision"], good.body["cause"]) == ("allow", "rules")
    wrong = columns | {"emailaddress": "ceo@contoso.com"}
    bad = await guard.deliver(wrong, message="Create", mode=1)
    assert bad.body["decision"] == "reject"


class TestStripped:
    def posted(self) -> bytes:
        stripped = context({}, mode=1)
        for name in ("InputParameters", "PreEntityImages", "PostEntityImages", "ParentContext"):
            del stripped[name]
        return json.dumps(stripped).encode()

    async def test_the_committed_row_is_read_and_judged_against_the_mirror(
        self, guard: AGuard
    ) -> None:
        await guard.reconciler.run()
        guard.receiver.rows.put("mailbox", MAILBOX_ID, **CEO)
        answer = await guard.receiver.post(self.posted())
        assert (answer.status, answer.body["decision"]) == (200, "reject")
        await guard.carry_out()
        assert guard.receiver.rows.written[0].columns["emailaddress"] == "anna@contoso.com"

    async def test_a_legitimate_row_is_allowed(self, guard: AGuard) -> None:
        await guard.reconciler.run()
        answer = await guard.receiver.post(self.posted())
        assert (answer.status, answer.body["decision"]) == (200, "allow")

    async def test_an_unreadable_row_is_examined_later(
        self, guard: AGuard, clock: FrozenClock
    ) -> None:
        await guard.reconciler.run()
        guard.receiver.rows.put("mailbox", MAILBOX_ID, **CEO)
        guard.receiver.rows.is_down = True
        answer = await guard.receiver.post(self.posted())
        assert (answer.status, answer.body["decision"]) == (200, "reject")
        await guard.carry_out()
        assert guard.decisions()[0]["obligations"][0]["state"] == "queued"
        guard.receiver.rows.is_down = False
        clock.advance(60)
        await guard.carry_out()
        await guard.carry_out()
        assert guard.receiver.rows.written[0].columns["emailaddress"] == "anna@contoso.com"

    async def test_a_row_that_is_gone_is_recorded(self, guard: AGuard) -> None:
        guard.receiver.rows.remove("mailbox", MAILBOX_ID)
        answer = await guard.receiver.post(self.posted())
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
