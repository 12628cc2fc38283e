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
from tests.guard.builders import ADMIN_ID, MAILBOX_ID, QUEUE_ID, USER_ID
from tests.guard.house import APPROVER, POLICIES, VIP, Worked, a_worked_house
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
async def worked(database: Database, clock: FrozenClock) -> Worked:
    """A house with one approved mailbox that the watch has judged."""
    worked = a_worked_house(database, clock)
    worked.house.rows.put("mailbox", MAILBOX_ID, emailrouteraccessapproval=1)
    await worked.deliver(APPROVE, mode=1, actor=ADMIN_ID)
    assert state(worked) == ("approved", "")
    await worked.drift.run()
    return worked


def swap(worked: Worked, **documents: str) -> None:
    """Let these policies hold beside and instead of the usual ones."""
    changed = {f"policies/{name}.yaml": text for name, text in documents.items()}
    worked.house.policies.swap(load_documents({**POLICIES, **changed}))


def rows_read(worked: Worked) -> list[str]:
    """Return which rows were read since the last time, and forget them."""
    asked = worked.house.rows.asked
    found = [one for one in asked if one.startswith("row ")]
    asked.clear()
    return found


async def test_a_policy_that_now_holds_the_address_ends_the_approval_once(worked: Worked) -> None:
    swap(worked, vip=ANNA_IS_VIP)
    assert (await worked.drift.run()).withdrawn == 1
    held = worked.approval()
    assert held is not None
    assert (held.state, held.epoch) == (approvals.WITHDRAWN, 2)
    assert held.reason.startswith("The policies do not allow the address: vip/held.")
    assert (await worked.drift.run()).withdrawn == 0


async def test_a_policy_that_now_rejects_the_address_ends_the_approval(worked: Worked) -> None:
    swap(worked, vip=ANNA_IS_VIP.replace("effect: hold", "effect: reject"))
    assert (await worked.drift.run()).withdrawn == 1
    assert "vip/held" in state(worked)[1]


async def test_a_policy_that_only_warns_ends_nothing(worked: Worked) -> None:
    swap(worked, vip=ANNA_IS_VIP.replace("mode: enforce", "mode: warn"))
    assert (await worked.drift.run()).withdrawn == 0


async def test_a_rule_that_reads_the_actor_ends_nothing(worked: Worked) -> None:
    swap(worked, approver=ACTOR_ALONE)
    assert (await worked.drift.run()).withdrawn == 0
    assert state(worked)[0] == "approved"


@pytest.mark.parametrize(
    ("owner_type", "owner_id", "table", "address", "rule"),
    [
        ("user", USER_ID, "systemuser", "internalemailaddress", "own-address/same-as-upn"),
        ("queue", QUEUE_ID, "queue", "emailaddress", "other/held, vip/held"),
    ],
)
async def test_a_policy_against_the_row_of_the_owner_ends_the_approval(
    worked: Worked, owner_type: str, owner_id: str, table: str, address: str, rule: str
) -> None:
    held = worked.approval()
    assert held is not None
    worked.house.rows.put(table, owner_id, **{address: "vip@contoso.com"}, domainname="vip")
    swap(worked, other=OTHER)
    worked.database.write_now(
        lambda c: approvals.grant(
            c,
            record_id=MAILBOX_ID,
            address=held.address,
            object_id=held.object_id,
            owner_id=owner_id,
            owner_type=owner_type,
            evidence={},
            now=worked.house.clock.now(),
        ),
        failpoint=DRIFTED,
    )
    assert (await worked.drift.run()).withdrawn == 1
    assert f"the address of the owner: {rule}." in state(worked)[1]


async def test_an_owner_without_an_address_speaks_against_nothing(worked: Worked) -> None:
    worked.house.rows.put("systemuser", USER_ID, domainname="anna@contoso.com")
    swap(worked, other=OTHER)
    assert (await worked.drift.run()).withdrawn == 0


async def test_a_row_that_cannot_be_judged_changes_nothing_and_is_judged_later(
    worked: Worked,
) -> None:
    asked, needs = "field: address, notEquals: vip@contoso.com", "field: facts.addressElsewhere"
    swap(worked, vip=VIP.replace(asked, f"{needs}, equals: 0"))
    result = await worked.drift.run()
    assert (result.unjudged, result.withdrawn) == (1, 0)
    assert state(worked)[0] == "approved"
    await worked.reconciler.run()
    result = await worked.drift.run()
    assert (result.unjudged, result.withdrawn) == (0, 0)


async def test_a_row_that_cannot_be_read_changes_nothing(worked: Worked) -> None:
    swap(worked, vip=ANNA_IS_VIP)
    worked.house.rows.is_down = True
    result = await worked.drift.run()
    assert (result.unanswered, result.withdrawn) == (1, 0)
    worked.house.rows.is_down = False
    assert (await worked.drift.run()).withdrawn == 1


async def test_a_row_that_is_gone_is_left_to_reconciliation(worked: Worked) -> None:
    worked.house.rows.remove("mailbox", MAILBOX_ID)
    swap(worked, vip=ANNA_IS_VIP)
    assert (await worked.drift.run()).withdrawn == 0


@pytest.mark.parametrize(("expires", "hours"), [("2026-11-24", 36), ("2026-11-23T18:00:00Z", 6)])
async def test_an_exception_that_ends_takes_the_approval_with_it(
    worked: Worked, clock: FrozenClock, expires: str, hours: int
) -> None:
    swap(worked, vip=ANNA_IS_VIP, exception=EXCEPTION.format(expires=expires))
    assert (await worked.drift.run()).withdrawn == 0
    clock.advance(timedelta(hours=hours).total_seconds() - 1)
    assert (await worked.drift.run()).withdrawn == 0
    clock.advance(1)
    assert (await worked.drift.run()).withdrawn == 1
    assert state(worked)[0] == "withdrawn"


async def test_nothing_is_judged_twice_while_nothing_changed(worked: Worked) -> None:
    rows_read(worked)
    trace = Recorder()
    worked.database._writer._failpoints = trace
    for _ in range(3):
        assert (await worked.drift.run()).looked_at == 1
    assert rows_read(worked) == []
    swap(worked, other=OTHER)
    for _ in range(3):
        await worked.drift.run()
    assert rows_read(worked) == [f"row mailbox {MAILBOX_ID}", f"row systemuser {USER_ID}"]
    assert not trace.reached


async def test_on_a_new_day_every_mailbox_is_judged_once_more(
    worked: Worked, clock: FrozenClock
) -> None:
    rows_read(worked)
    clock.advance(timedelta(days=1).total_seconds())
    await worked.drift.run()
    assert len(rows_read(worked)) == 2


async def test_policies_against_too_many_at_once_stop_before_the_first(worked: Worked) -> None:
    ids = [str(uuid.UUID(int=number)) for number in range(1, 26)]
    for one in ids:
        worked.house.directory.people[one] = Person(one, f"{one}@contoso.com")
        worked.house.rows.put(
            "mailbox",
            one,
            emailaddress=f"{one}@contoso.com",
            emailrouteraccessapproval=1,
            statecode=0,
            regardingobjectid__id=one,
            regardingobjectid__type="queue",
        )
    grant_many(worked, ids)
    assert (await worked.drift.run()).withdrawn == 0
    swap(worked, vip=VIP.replace("notEquals: vip@contoso.com", "startsWith: anna"))
    result = await worked.drift.run()
    assert result.brake is not None
    assert result.drifted == 25
    assert result.withdrawn == 0
