"""Which mailboxes may be reached, and what is withdrawn before any of them is."""

from __future__ import annotations

import pytest

from cloud.errors import RequestRejected, Unreachable
from kernel import approvals, stops
from kernel.approvals import Approval, WithdrawalCause
from sync.errors import MailboxUnknown
from sync.operate.mailboxes import list_mailboxes, pause, resume, show_mailbox, withdraw
from sync.run.full_pass import full_pass
from sync.run.once import once
from tests.sync.builders import (
    ANNA_OBJECT,
    ANNA_RECORD,
    BEN_OBJECT,
    BEN_RECORD,
    OPERATOR,
    PROFILE,
    TEST,
    World,
    a_mailbox_row,
    a_message,
    grant,
)

CHIEF_OBJECT = "cccccccc-1111-4111-8111-000000000009"


def held(world: World, record_id: str = ANNA_RECORD) -> Approval:
    found = world.database.read_now(lambda c: approvals.find(c, record_id))
    assert found is not None
    return found


def shown(world: World, record_id: str = ANNA_RECORD) -> dict[str, object]:
    everyone = world.database.read_now(lambda c: list_mailboxes(c, now=world.clock.now()))
    return next(one for one in everyone if one["id"] == record_id)


@pytest.mark.parametrize(
    "change",
    [
        {"approval": 2},
        {"approval": 0},
        {"approval": None},
        {"state": 1},
        {"address": "chief@contoso.com"},
        {"address": None},
    ],
)
async def test_what_dataverse_no_longer_backs_is_withdrawn_before_any_access(
    world: World, change: dict[str, object]
) -> None:
    world.approve_anna()
    world.exchange.deliver(ANNA_OBJECT, a_message())
    world.mailbox_rows.put(a_mailbox_row(**change))

    report = await once(world.sync)

    assert world.exchange.requests[ANNA_OBJECT] == 0
    assert held(world).state == approvals.WITHDRAWN
    assert held(world).epoch == 2
    assert shown(world)["state"] == "withdrawn"
    assert report.counts["mailboxes"] == 0


async def test_a_mailbox_row_that_is_gone_is_withdrawn(world: World) -> None:
    world.approve_anna()
    del world.mailbox_rows.rows[ANNA_RECORD]

    await once(world.sync)

    assert held(world).state == approvals.WITHDRAWN


async def test_an_address_in_other_letters_is_the_same_address(world: World) -> None:
    world.approve_anna()
    world.mailbox_rows.put(a_mailbox_row(address="ANNA@Contoso.com"))

    await once(world.sync)

    assert held(world).is_approved(world.clock.now())


async def test_too_many_withdrawals_at_once_stop_and_ask_a_person(world: World) -> None:
    for number in range(25):
        record_id = f"cccccccc-0000-4000-8000-{number:012}"
        grant(world.database, world.clock, record_id, f"object-{number}", f"{number}@contoso.com")
    world.approve_anna()
    world.exchange.deliver(ANNA_OBJECT, a_message())

    report = await once(world.sync)

    everyone = world.database.read_now(approvals.list_all)
    assert all(one.state == approvals.APPROVED for one in everyone)
    assert len(report.problems) == 25
    assert [object_id for object_id, count in world.exchange.requests.items() if count] == [
        ANNA_OBJECT
    ]
    assert shown(world, "cccccccc-0000-4000-8000-000000000001")["state"] == "brake"
    # Nobody else reaches them either, and a person's word withdraws just these.
    resting = {one.record_id for one in world.database.read_now(stops.list_all)}
    assert len(resting) == 25
    assert ANNA_RECORD not in resting
    now = world.clock.now()
    world.database.write_now(
        lambda c: stops.release(c, "sync.unbacked", now=now), failpoint=stops.RELEASED
    )
    await once(world.sync)
    assert {
        one.record_id
        for one in world.database.read_now(approvals.list_all)
        if one.cause is WithdrawalCause.RELEASED
    } == resting
    assert world.database.read_now(stops.list_all) == []


async def test_a_mailbox_of_another_owner_is_withdrawn_before_any_access(world: World) -> None:
    world.approve_anna()
    world.mailbox_rows.put(a_mailbox_row(owner_id=BEN_RECORD))
    await once(world.sync)
    assert held(world).cause is WithdrawalCause.UNBACKED
    assert not world.exchange.requests[ANNA_OBJECT]


async def test_evidence_is_looked_up_again_before_it_is_too_old(world: World) -> None:
    world.approve_anna()
    await once(world.sync)
    assert not world.evidence.asked
    world.clock.advance(31 * 60)
    await once(world.sync)
    assert world.evidence.asked[ANNA_RECORD] == 1
    world.evidence.is_down = True
    world.clock.advance(61 * 60)
    before = world.exchange.requests[ANNA_OBJECT]
    report = await once(world.sync)
    assert [one.record_id for one in report.problems] == [ANNA_RECORD]
    assert shown(world, ANNA_RECORD)["state"] == "resting"
    assert world.exchange.requests[ANNA_OBJECT] == before
    world.evidence.is_down = False
    assert (await once(world.sync)).is_clean
    assert shown(world, ANNA_RECORD)["state"] == "synced"


async def test_a_mailbox_that_microsofts_service_owns_is_not_reached(world: World) -> None:
    world.approve_anna()
    world.exchange.deliver(ANNA_OBJECT, a_message())
    world.mailbox_rows.put(a_mailbox_row(incoming_delivery=2, profile_id=PROFILE.upper()))
    world.mailbox_rows.profiles.add(PROFILE)

    await once(world.sync)

    assert world.exchange.requests[ANNA_OBJECT] == 0
    assert shown(world)["state"] == "microsoft-sync"
    assert shown(world)["approved"] is True


async def test_deactivating_the_profile_hands_the_mailbox_over(world: World) -> None:
    world.approve_anna()
    world.exchange.deliver(ANNA_OBJECT, a_message())
    world.mailbox_rows.put(a_mailbox_row(incoming_delivery=2, profile_id=PROFILE))

    await once(world.sync)

    assert len(world.emails.rows) == 1
    assert shown(world)["state"] == "synced"


async def test_a_mailbox_whose_profile_cannot_be_read_is_not_reached_and_says_so(
    world: World,
) -> None:
    world.approve_anna()
    world.approve_ben()
    world.exchange.deliver(ANNA_OBJECT, a_message())
    world.mailbox_rows.put(a_mailbox_row(incoming_delivery=2, profile_id=PROFILE))
    world.mailbox_rows.fail_next("active_profiles", RequestRejected("No such table.", status=400))

    report = await once(world.sync)

    assert world.exchange.requests[ANNA_OBJECT] == 0
    assert world.exchange.requests[BEN_OBJECT] > 0
    [problem] = report.problems
    assert (problem.record_id, problem.kind) == (ANNA_RECORD, "unresolved")
    assert "its server profile could not be read" in problem.reason
    assert (shown(world)["state"], shown(world)["reason"]) == ("failing", problem.reason)

    report = await once(world.sync)

    assert report.is_clean
    assert world.subjects() == ["Order 1"]
    assert (shown(world)["state"], shown(world)["reason"]) == ("synced", "")


async def test_a_mailbox_that_is_not_visited_has_no_next_visit(world: World) -> None:
    world.approve_anna()
    await once(world.sync)
    assert shown(world)["next_at"] is not None
    world.clock.advance(11)
    await world.sync.leases.claim()
    await full_pass(world.sync, world.sync.leases.shards)

    await pause(world.database, world.clock, ANNA_RECORD, by=OPERATOR, reason="holiday")
    await world.sync.freshness.flush()
    assert shown(world)["next_at"] is None

    await resume(world.database, world.clock, ANNA_RECORD, by=OPERATOR)
    world.mailbox_rows.put(a_mailbox_row(incoming_delivery=2, profile_id=PROFILE))
    world.mailbox_rows.profiles.add(PROFILE)
    await full_pass(world.sync, world.sync.leases.shards)
    assert (shown(world)["state"], shown(world)["next_at"]) == ("microsoft-sync", None)


async def test_without_dataverse_no_mailbox_is_reached(world: World) -> None:
    world.approve_anna()
    world.mailbox_rows.fail_next("mailboxes", Unreachable("Down.", until=world.clock.now()))

    with pytest.raises(Unreachable):
        await once(world.sync)

    assert world.exchange.requests[ANNA_OBJECT] == 0
    assert held(world).state == approvals.APPROVED


async def test_a_paused_mailbox_rests_until_it_is_resumed(world: World) -> None:
    world.approve_anna()
    world.exchange.deliver(ANNA_OBJECT, a_message())
    await pause(world.database, world.clock, ANNA_RECORD, by=OPERATOR, reason="holiday")

    await once(world.sync)
    assert world.exchange.requests[ANNA_OBJECT] == 0
    assert (shown(world)["state"], shown(world)["reason"]) == ("paused", "holiday")

    await resume(world.database, world.clock, ANNA_RECORD, by=OPERATOR)
    await once(world.sync)
    assert len(world.emails.rows) == 1
    assert shown(world)["state"] == "synced"


async def test_a_withdrawn_mailbox_is_never_read_again(world: World) -> None:
    world.approve_anna()
    world.approve_ben()
    await once(world.sync)
    requests = world.exchange.requests[ANNA_OBJECT]
    world.exchange.deliver(ANNA_OBJECT, a_message(1))
    world.exchange.deliver(BEN_OBJECT, a_message(2))

    assert await withdraw(world.database, world.clock, ANNA_RECORD, by="Ben", reason="left us")
    await once(world.sync)

    assert world.exchange.requests[ANNA_OBJECT] == requests
    assert world.subjects() == ["Order 2"]
    assert shown(world)["state"] == "withdrawn"
    assert shown(world)["reason"] == "left us"
    assert shown(world)["approved"] is False
    assert not await withdraw(world.database, world.clock, ANNA_RECORD, by="Ben", reason="again")


async def test_a_new_approval_goes_on_where_the_old_one_ended(world: World) -> None:
    world.approve_anna()
    await once(world.sync)
    await withdraw(world.database, world.clock, ANNA_RECORD, by="Ben", reason="to be checked")
    world.exchange.deliver(ANNA_OBJECT, a_message())

    assert world.approve_anna() == 3
    await once(world.sync)

    assert world.subjects() == ["Order 1"]
    assert shown(world)["epoch"] == 3


async def test_the_list_has_the_shape_that_checks_rely_on(world: World) -> None:
    world.approve_anna()
    await once(world.sync)

    found = shown(world)

    assert found.keys() >= {
        "id",
        "address",
        "object_id",
        "owner",
        "approved",
        "epoch",
        "state",
        "reason",
        "fresh_as_of",
        "next_at",
    }
    assert found["fresh_as_of"] == "2026-11-23T12:00:00Z"
    detail = world.database.read_now(
        lambda c: show_mailbox(c, ANNA_RECORD.upper(), now=world.clock.now())
    )
    assert detail["access"] == []


async def test_a_mailbox_that_nobody_knows_is_said_so(world: World) -> None:
    with pytest.raises(MailboxUnknown):
        await pause(world.database, world.clock, BEN_RECORD, by=OPERATOR, reason="x")


async def test_an_approval_altered_in_the_database_reads_nobodys_mailbox(world: World) -> None:
    world.approve_anna()
    world.approve_ben()
    world.exchange.deliver(BEN_OBJECT, a_message(2))
    world.database.write_now(
        lambda c: c.execute(
            approvals.approvals.update()
            .where(approvals.approvals.c.record_id == ANNA_RECORD)
            .values(object_id=CHIEF_OBJECT)
        ),
        failpoint=TEST,
    )

    await once(world.sync)

    assert (world.exchange.requests[CHIEF_OBJECT], world.exchange.requests[ANNA_OBJECT]) == (0, 0)
    assert world.subjects() == ["Order 2"]
    assert shown(world)["approved"] is False
    assert shown(world)["reason"] == approvals.NOT_RECORDED
