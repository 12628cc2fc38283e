"""An approval ends when the policies that hold now no longer allow what was approved."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest

from guard.ports.directory import Person
from guard.watch.drift import DRIFTED
from kernel import approvals
from kernel.clock import FrozenClock
from kernel.database import Database
from kernel.failpoints import Recorder
from rules.load.loader import load_documents
from tests.guard.assembled import APPROVER, POLICIES, VIP, AGuard, a_guard
from tests.guard.builders import ADMIN_ID, MAILBOX_ID, QUEUE_ID, USER_ID
from tests.guard.obligations.test_grant import APPROVE
from tests.guard.watch.test_drift import grant_many, state

ANNA_IS_VIP = VIP.replace("vip@contoso.com", "anna@contoso.com")
OTHER = VIP.replace("name: vip", "name: other")
ACTOR_ALONE = APPROVER.replace("  when: [{field: approval, becomes: approved}]\n", "")
EXCEPTION = """
apiVersion: guard/v1
kind: Exception
name: anna-stays
policy: vip
rules: [held]
reason: Agreed with the board
ticket: CHG-30140
approvedBy: admin@contoso.com
expires: {expires}
when: [{{field: address, equals: anna@contoso.com}}]
"""


@pytest.fixture
async def guard(database: Database, clock: FrozenClock) -> AGuard:
    """A receiver with one approved mailbox that the watch has judged."""
    guard = a_guard(database, clock)
    guard.receiver.rows.put("mailbox", MAILBOX_ID, emailrouteraccessapproval=1)
    await guard.deliver(APPROVE, mode=1, actor=ADMIN_ID)
    assert state(guard) == ("approved", "")
    await guard.drift.run()
    return guard


def swap(guard: AGuard, **documents: str) -> None:
    """Let these policies hold beside and instead of the usual ones."""
    changed = {f"policies/{name}.yaml": text for name, text in documents.items()}
    guard.receiver.policies.swap(load_documents({**POLICIES, **changed}))


def rows_read(guard: AGuard) -> list[str]:
    """Return which rows were read since the last time, and forget them."""
    asked = guard.receiver.rows.asked
    found = [one for one in asked if one.startswith("row ")]
    asked.clear()
    return found


async def test_a_policy_that_now_holds_the_address_ends_the_approval_once(guard: AGuard) -> None:
    swap(guard, vip=ANNA_IS_VIP)
    assert (await guard.drift.run()).withdrawn == 1
    held = guard.approval()
    assert held is not None
    assert (held.state, held.epoch) == (approvals.WITHDRAWN, 2)
    assert held.reason.startswith("The policies do not allow the address: vip/held.")
    assert (await guard.drift.run()).withdrawn == 0


async def test_a_policy_that_now_rejects_the_address_ends_the_approval(guard: AGuard) -> None:
    swap(guard, vip=ANNA_IS_VIP.replace("effect: hold", "effect: reject"))
    assert (await guard.drift.run()).withdrawn == 1
    assert "vip/held" in state(guard)[1]


async def test_a_policy_that_only_warns_ends_nothing(guard: AGuard) -> None:
    swap(guard, vip=ANNA_IS_VIP.replace("mode: enforce", "mode: warn"))
    assert (await guard.drift.run()).withdrawn == 0


async def test_a_rule_that_reads_the_actor_ends_nothing(guard: AGuard) -> None:
    swap(guard, approver=ACTOR_ALONE)
    assert (await guard.drift.run()).withdrawn == 0
    assert state(guard)[0] == "approved"


@pytest.mark.parametrize(
    ("owner_type", "owner_id", "table", "address", "rule"),
    [
        ("user", USER_ID, "systemuser", "internalemailaddress", "own-address/same-as-upn"),
        ("queue", QUEUE_ID, "queue", "emailaddress", "other/held, vip/held"),
    ],
)
async def test_a_policy_against_the_row_of_the_owner_ends_the_approval(
    guard: AGuard, owner_type: str, owner_id: str, table: str, address: str, rule: str
) -> None:
    held = guard.approval()
    assert held is not None
    guard.receiver.rows.put(table, owner_id, **{address: "vip@contoso.com"}, domainname="vip")
    swap(guard, other=OTHER)
    guard.database.write_now(
        lambda c: approvals.grant(
            c,
            record_id=MAILBOX_ID,
            address=held.address,
            object_id=held.object_id,
            owner_id=owner_id,
            owner_type=owner_type,
            evidence={},
            now=guard.receiver.clock.now(),
        ),
        failpoint=DRIFTED,
    )
    assert (await guard.drift.run()).withdrawn == 1
    assert f"the address of the owner: {rule}." in state(guard)[1]


async def test_an_owner_without_an_address_speaks_against_nothing(guard: AGuard) -> None:
    guard.receiver.rows.put("systemuser", USER_ID, domainname="anna@contoso.com")
    swap(guard, other=OTHER)
    assert (await guard.drift.run()).withdrawn == 0


async def test_a_row_that_cannot_be_judged_changes_nothing_and_is_judged_later(
    guard: AGuard,
) -> None:
    asked, needs = "field: address, notEquals: vip@contoso.com", "field: facts.addressElsewhere"
    swap(guard, vip=VIP.replace(asked, f"{needs}, equals: 0"))
    result = await guard.drift.run()
    assert (result.unjudged, result.withdrawn) == (1, 0)
    assert state(guard)[0] == "approved"
    await guard.reconciler.run()
    result = await guard.drift.run()
    assert (result.unjudged, result.withdrawn) == (0, 0)


async def test_a_row_that_cannot_be_read_changes_nothing(guard: AGuard) -> None:
    swap(guard, vip=ANNA_IS_VIP)
    guard.receiver.rows.is_down = True
    result = await guard.drift.run()
    assert (result.unanswered, result.withdrawn) == (1, 0)
    guard.receiver.rows.is_down = False
    assert (await guard.drift.run()).withdrawn == 1


async def test_a_row_that_is_gone_is_left_to_reconciliation(guard: AGuard) -> None:
    guard.receiver.rows.remove("mailbox", MAILBOX_ID)
    swap(guard, vip=ANNA_IS_VIP)
    assert (await guard.drift.run()).withdrawn == 0


@pytest.mark.parametrize(("expires", "hours"), [("2026-11-24", 36), ("2026-11-23T18:00:00Z", 6)])
async def test_an_exception_that_ends_takes_the_approval_with_it(
    guard: AGuard, clock: FrozenClock, expires: str, hours: int
) -> None:
    swap(guard, vip=ANNA_IS_VIP, exception=EXCEPTION.format(expires=expires))
    assert (await guard.drift.run()).withdrawn == 0
    clock.advance(timedelta(hours=hours).total_seconds() - 1)
    assert (await guard.drift.run()).withdrawn == 0
    clock.advance(1)
    assert (await guard.drift.run()).withdrawn == 1
    assert state(guard)[0] == "withdrawn"


async def test_nothing_is_judged_twice_while_nothing_changed(guard: AGuard) -> None:
    rows_read(guard)
    trace = Recorder()
    guard.database._writer._failpoints = trace
    for _ in range(3):
        assert (await guard.drift.run()).looked_at == 1
    assert rows_read(guard) == []
    swap(guard, other=OTHER)
    for _ in range(3):
        await guard.drift.run()
    assert rows_read(guard) == [f"row mailbox {MAILBOX_ID}", f"row systemuser {USER_ID}"]
    assert not trace.reached


async def test_on_a_new_day_every_mailbox_is_judged_once_more(
    guard: AGuard, clock: FrozenClock
) -> None:
    rows_read(guard)
    clock.advance(timedelta(days=1).total_seconds())
    await guard.drift.run()
    assert len(rows_read(guard)) == 2


async def test_policies_against_too_many_at_once_stop_before_the_first(guard: AGuard) -> None:
    ids = [str(uuid.UUID(int=number)) for number in range(1, 26)]
    for one in ids:
        guard.receiver.directory.people[one] = Person(one, f"{one}@contoso.com")
        guard.receiver.rows.put(
            "mailbox",
            one,
            emailaddress=f"{one}@contoso.com",
            emailrouteraccessapproval=1,
            statecode=0,
            regardingobjectid__id=one,
            regardingobjectid__type="queue",
        )
    grant_many(guard, ids)
    assert (await guard.drift.run()).withdrawn == 0
    swap(guard, vip=VIP.replace("notEquals: vip@contoso.com", "startsWith: anna"))
    result = await guard.drift.run()
    assert result.brake is not None
    assert result.drifted == 25
    assert result.withdrawn == 0
