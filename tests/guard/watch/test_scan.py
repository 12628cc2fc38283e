from __future__ import annotations

import uuid
from typing import Any

import pytest

from guard.ports.directory import Person
from guard.ports.rows import UserRow
from guard.watch.scan import BrakePulled
from guard.watch.unanswered import AT_ONCE, MOST_UNANSWERED
from kernel import stops
from kernel.clock import FrozenClock
from kernel.database import Database
from kernel.errors import Unavailable
from tests.guard.assembled import AGuard, a_guard
from tests.guard.builders import (
    ADMIN_ID,
    MAILBOX_BEFORE,
    MAILBOX_ID,
    OBJECT_ID,
    USER_ID,
    choice,
)


@pytest.fixture
def guard(database: Database, clock: FrozenClock) -> AGuard:
    guard = a_guard(database, clock)
    guard.receiver.rows.put("mailbox", MAILBOX_ID, emailrouteraccessapproval=1)
    return guard


async def scanned(guard: AGuard) -> list[dict[str, Any]]:
    return [one.listed() for one in await guard.scanner.scan()]


async def applied(guard: AGuard, **named: Any) -> Any:
    return await guard.scanner.apply(await guard.scanner.scan(), **named)


async def test_every_address_is_judged_by_every_policy_of_its_table(guard: AGuard) -> None:
    guard.receiver.rows.put("queue", USER_ID, emailaddress="vip@contoso.com", statecode=0)
    guard.receiver.rows.put("systemuser", USER_ID, internalemailaddress="x@contoso.com")
    rows = {one["table"]: one for one in await scanned(guard)}
    assert rows["mailbox"] == {
        "table": "mailbox",
        "record_id": MAILBOX_ID,
        "address": "anna@contoso.com",
        "result": "pass",
        "rules": [],
        "not_evaluable": ["approver/qualified"],
    }
    assert (rows["queue"]["result"], rows["queue"]["rules"]) == ("hold", ["vip/held"])
    assert rows["systemuser"]["result"] == "fail"


async def test_a_fact_that_is_missing_is_an_error(guard: AGuard) -> None:
    guard.receiver.rows.users.clear()
    (row,) = await scanned(guard)
    assert (row["result"], row["rules"]) == ("error", ["own-address/same-as-upn"])


async def test_a_scan_that_goes_on_judges_only_what_is_new(guard: AGuard) -> None:
    first = await guard.scanner.scan()
    known = {one.fingerprint: one.judgement for one in first}
    guard.receiver.rows.users.clear()
    guard.receiver.rows.put("queue", USER_ID, emailaddress="vip@contoso.com", statecode=0)
    seen: list[str] = []
    again = await guard.scanner.scan(known=known, seen=lambda one: seen.append(one.row.table))
    assert seen == ["mailbox", "queue"]
    assert [one.judgement.result for one in again] == ["pass", "hold"]


async def test_a_row_that_changed_is_judged_again(guard: AGuard) -> None:
    (first,) = await guard.scanner.scan()
    guard.receiver.rows.put("mailbox", MAILBOX_ID, emailaddress="vip@contoso.com")
    (again,) = await guard.scanner.scan(known={first.fingerprint: first.judgement})
    assert again.fingerprint != first.fingerprint
    assert again.judgement.result != "pass"


async def test_a_scan_alone_writes_nothing(guard: AGuard) -> None:
    await scanned(guard)
    assert guard.approval() is None


async def test_observing_grants_nothing(database: Database, clock: FrozenClock) -> None:
    observing = a_guard(database, clock, enforcement="observe")
    observing.receiver.rows.put("mailbox", MAILBOX_ID, emailrouteraccessapproval=1)
    done = await applied(observing)
    assert done.granted == []
    assert done.left == {MAILBOX_ID: "Observing: nothing is granted."}
    assert observing.approval() is None


async def test_apply_grants_what_dataverse_holds_approved_and_passes(guard: AGuard) -> None:
    result = await applied(guard)
    assert result.granted == [MAILBOX_ID]
    held = guard.approval()
    assert held is not None
    assert (held.state, held.object_id) == ("approved", OBJECT_ID)
    assert held.evidence["pre_existing"] is True
    assert held.evidence["approved_by"] is None


async def test_apply_does_not_grant_what_dataverse_does_not_hold_approved(guard: AGuard) -> None:
    guard.receiver.rows.put("mailbox", MAILBOX_ID, emailrouteraccessapproval=2)
    assert not (await applied(guard)).granted
    assert guard.approval() is None


async def test_apply_does_not_give_back_what_was_taken_away_in_dataverse(
    guard: AGuard, clock: FrozenClock
) -> None:
    """A person took it away; somebody put it back past both steps, before anybody read the row."""
    given, taken = ({"emailrouteraccessapproval": choice(one)} for one in (1, 3))
    await applied(guard)
    await guard.deliver(taken, mode=1, actor=ADMIN_ID, before=MAILBOX_BEFORE | given)
    clock.advance(60)
    result = await applied(guard)
    assert not result.granted
    assert "left it without one" in result.left[MAILBOX_ID]
    clock.advance(60)
    await guard.deliver(given, mode=1, actor=ADMIN_ID, before=MAILBOX_BEFORE | taken)
    held = guard.approval()
    assert held is not None
    assert held.state == "approved"
    assert MAILBOX_ID not in (await applied(guard)).left


async def test_apply_grants_nothing_that_no_enforced_rule_judged(
    database: Database, clock: FrozenClock
) -> None:
    from tests.guard.assembled import ADVICE, APPROVER

    documents = {"a.yaml": ADVICE, "b.yaml": APPROVER}
    guard = a_guard(database, clock, documents=documents)
    guard.receiver.rows.put("mailbox", MAILBOX_ID, emailrouteraccessapproval=1)
    result = await applied(guard)
    assert "No enforced rule" in result.left[MAILBOX_ID]


async def test_apply_withdraws_what_fails(guard: AGuard) -> None:
    await applied(guard)
    guard.receiver.rows.users[USER_ID] = UserRow(USER_ID, "someone@contoso.com", OBJECT_ID)
    assert (await applied(guard)).withdrawn == [MAILBOX_ID]
    held = guard.approval()
    assert held is not None
    assert (held.state, held.epoch) == ("withdrawn", 2)
    assert "own-address/same-as-upn" in held.reason


async def test_apply_withdraws_what_dataverse_withdrew(guard: AGuard) -> None:
    await applied(guard)
    guard.receiver.rows.put("mailbox", MAILBOX_ID, emailrouteraccessapproval=2)
    assert (await applied(guard)).withdrawn == [MAILBOX_ID]


async def test_an_error_changes_nothing(guard: AGuard) -> None:
    await applied(guard)
    guard.receiver.rows.users.clear()
    result = await applied(guard)
    assert MAILBOX_ID in result.left
    held = guard.approval()
    assert held is not None
    assert held.state == "approved"


async def test_an_owner_whose_row_fails_has_no_approved_mailbox(guard: AGuard) -> None:
    await applied(guard)
    guard.receiver.rows.put("systemuser", USER_ID, internalemailaddress="ceo@contoso.com")
    assert (await applied(guard)).withdrawn == [MAILBOX_ID]


def put_fleet(guard: AGuard, count: int) -> list[str]:
    """Put so many approved mailboxes, each of its own user; return their ids."""
    ids = []
    for number in range(count):
        record_id, user_id, object_id = (str(uuid.uuid4()) for _ in range(3))
        address = f"u{number}@contoso.com"
        guard.receiver.rows.users[user_id] = UserRow(user_id, address, object_id)
        guard.receiver.directory.people[object_id] = Person(object_id, address)
        guard.receiver.rows.put(
            "mailbox",
            record_id,
            emailaddress=address,
            emailrouteraccessapproval=1,
            statecode=0,
            regardingobjectid__id=user_id,
            regardingobjectid__type="systemuser",
        )
        ids.append(record_id)
    return ids


async def test_too_many_withdrawals_stop_before_the_first(guard: AGuard) -> None:
    ids = put_fleet(guard, 21)
    assert len((await applied(guard)).granted) == 22
    for record_id in ids:
        guard.receiver.rows.put("mailbox", record_id, emailaddress="vip@contoso.com")
    with pytest.raises(BrakePulled) as pulled:
        await applied(guard)
    assert len(pulled.value.context["withdrawing"]) == 21
    with pytest.raises(BrakePulled):
        await applied(guard, withdrawals_allowed=20)
    held = guard.approval(ids[0])
    assert held is not None
    assert held.state == "approved"
    # It is approved, and nobody reaches it until a person has said what becomes of it.
    resting = {one.record_id for one in guard.database.read_now(stops.list_all)}
    assert resting == set(ids)
    assert len((await applied(guard, withdrawals_allowed=21)).withdrawn) == 21
    assert guard.database.read_now(stops.list_all) == []


async def test_while_the_organisation_is_unknown_nothing_is_applied(guard: AGuard) -> None:
    guard.receiver.identity.organization_id = None
    with pytest.raises(Unavailable):
        await applied(guard)


SOLE_HOLDER = """
apiVersion: guard/v1
kind: Policy
name: holder
title: Exactly one person holds the address
severity: high
mode: enforce
match: {entity: [mailbox], operations: [create, update]}
rules:
  - id: sole
    require: [{field: addressOwner.count, equals: 1}]
    message: "{address} is not held by exactly one person."
"""


class TestASilentService:
    """A fleet of 40 mailboxes, each of its own user, under a policy that asks Entra."""

    @pytest.fixture
    def guard(self, database: Database, clock: FrozenClock) -> AGuard:
        guard = a_guard(database, clock, documents={"a.yaml": SOLE_HOLDER})
        put_fleet(guard, 40)
        guard.receiver.rows.page_size = 40
        return guard

    async def test_is_asked_no_longer_and_the_rest_errs_with_the_reason(
        self, guard: AGuard
    ) -> None:
        directory = guard.receiver.directory
        directory.is_down = True
        rows = await scanned(guard)
        assert len(rows) == 41
        assert {row["result"] for row in rows} == {"error"}
        assert MOST_UNANSWERED <= len(directory.asked) < MOST_UNANSWERED + AT_ONCE
        reason = "10 look-ups in a row had no answer (The directory does not answer.)"
        assert reason in rows[-1]["reason"]
        result = await applied(guard)
        assert (result.granted, result.withdrawn) == ([], [])

    async def test_ends_the_planning_and_is_told(self, guard: AGuard) -> None:
        found = await guard.scanner.scan()
        assert {one.judgement.result for one in found} == {"pass"}
        guard.receiver.directory.is_down = True
        guard.receiver.directory.asked.clear()
        result = await guard.scanner.apply(found)
        assert len(guard.receiver.directory.asked) < MOST_UNANSWERED + AT_ONCE
        assert "10 look-ups in a row" in (result.unanswered or "")
        assert result.granted == []
        assert result.unanswered in result.left.values()

    async def test_that_answers_is_asked_to_the_end(self, guard: AGuard) -> None:
        result = await applied(guard)
        assert (len(result.granted), result.unanswered) == (40, None)
