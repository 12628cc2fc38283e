"""An approval ends when Entra no longer says what it was granted on."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection

from guard.ports.directory import HolderType, Person
from guard.ports.rows import UserRow
from guard.watch import drift
from kernel import approvals, stops
from kernel.brake import Braked
from kernel.clock import FrozenClock
from kernel.database import Database
from kernel.failpoints import Recorder
from tests.guard.assembled import AGuard, a_guard
from tests.guard.builders import ADMIN_ID, CEO_OBJECT_ID, MAILBOX_ID, OBJECT_ID, USER_ID
from tests.guard.obligations.test_grant import APPROVE
from tests.rewording import reword


@pytest.fixture
async def guard(database: Database, clock: FrozenClock) -> AGuard:
    guard = a_guard(database, clock)
    guard.receiver.rows.put("mailbox", MAILBOX_ID, emailrouteraccessapproval=1)
    await guard.deliver(APPROVE, mode=1, actor=ADMIN_ID)
    assert state(guard) == ("approved", "")
    return guard


def state(guard: AGuard, record_id: str = MAILBOX_ID) -> tuple[str, str]:
    held = guard.approval(record_id)
    assert held is not None
    return held.state, held.reason


def change(guard: AGuard, **changes: Any) -> None:
    people = guard.receiver.directory.people
    people[OBJECT_ID] = replace(people[OBJECT_ID], **changes)


async def test_a_round_that_finds_nothing_writes_nothing(guard: AGuard) -> None:
    trace = Recorder()
    guard.database._writer._failpoints = trace
    assert await guard.drift.run() == drift.DriftRound(looked_at=1)
    assert not trace.reached


async def test_another_sign_in_name_ends_the_approval(guard: AGuard) -> None:
    change(guard, upn="x@contoso.com", proxy_addresses=("SMTP:anna@contoso.com",))
    assert (await guard.drift.run()).withdrawn == 1
    assert state(guard)[0] == "withdrawn"
    assert "now has the sign-in name x@contoso.com" in state(guard)[1]
    assert guard.receiver.metrics.counts["watched", "drift"] == 1
    assert (await guard.drift.run()).looked_at == 0


async def test_a_sign_in_name_in_other_letters_is_the_same(guard: AGuard) -> None:
    change(guard, upn="ANNA@contoso.com")
    assert (await guard.drift.run()).withdrawn == 0


async def test_an_address_that_moved_ends_the_approval(guard: AGuard) -> None:
    change(guard, upn="anna@contoso.com")
    people = guard.receiver.directory.people
    held = guard.approval()
    assert held is not None
    people[held.object_id] = Person(held.object_id, None)
    people[CEO_OBJECT_ID] = Person(CEO_OBJECT_ID, "boss@contoso.com", "anna@contoso.com")
    await guard.drift.run()
    assert "no longer holds anna@contoso.com; boss@contoso.com does" in state(guard)[1]


async def test_a_second_holder_ends_the_approval(guard: AGuard) -> None:
    guard.receiver.directory.people[CEO_OBJECT_ID] = Person(
        CEO_OBJECT_ID, "boss@contoso.com", None, ("smtp:anna@contoso.com",)
    )
    await guard.drift.run()
    assert "2 users of Entra hold" in state(guard)[1]


@pytest.mark.parametrize("has_own", [True, False])
async def test_what_only_carries_the_address_ends_nothing_and_is_told_once(
    guard: AGuard, has_own: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    if not has_own:
        change(guard, upn=None, mail="anna@contoso.com", proxy_addresses=())
    directory = guard.receiver.directory
    directory.people[CEO_OBJECT_ID] = Person(CEO_OBJECT_ID, "boss@contoso.com", "anna@contoso.com")
    directory.others = [
        Person(ADMIN_ID, "anna@contoso.com", is_deleted=True),
        Person(USER_ID, mail="anna@contoso.com", type=HolderType.CONTACT),
    ]
    for _ in range(3):
        await guard.drift.run()
    assert state(guard) == ("approved", "")
    told = [one for one in capsys.readouterr().out.splitlines() if "carried_by_others" in one]
    assert len(told) == 1
    assert CEO_OBJECT_ID in told[0]


async def test_an_address_that_becomes_somebody_elses_own_ends_the_approval(guard: AGuard) -> None:
    change(guard, upn=None, mail="anna@contoso.com", proxy_addresses=())
    guard.receiver.directory.people[CEO_OBJECT_ID] = Person(
        CEO_OBJECT_ID, "boss@contoso.com", None, ("smtp:anna@contoso.com",)
    )
    await guard.drift.run()
    assert "is that of boss@contoso.com now" in state(guard)[1]


async def test_what_holds_the_address_instead_is_named(guard: AGuard) -> None:
    change(guard, upn=None, mail=None, proxy_addresses=())
    group = Person(CEO_OBJECT_ID, mail="anna@contoso.com", type=HolderType.GROUP)
    guard.receiver.directory.others = [group]
    await guard.drift.run()
    assert f"no longer holds anna@contoso.com; group {CEO_OBJECT_ID} does" in state(guard)[1]


async def test_a_deleted_user_ends_the_approval(guard: AGuard) -> None:
    del guard.receiver.directory.people[OBJECT_ID]
    await guard.drift.run()
    assert "no longer exists" in state(guard)[1]


@pytest.mark.parametrize(
    ("owner", "reason"),
    [
        (None, "no user of Dataverse"),
        (UserRow(USER_ID, "new@contoso.com", OBJECT_ID), "now has the sign-in name"),
        (UserRow(USER_ID, "anna@contoso.com", CEO_OBJECT_ID), "no longer the owner's own"),
        (UserRow(USER_ID, "anna@contoso.com"), "no longer the owner's own"),
        (UserRow(USER_ID, "anna@contoso.com", OBJECT_ID, ADMIN_ID), "is now an application"),
    ],
)
async def test_an_owner_who_is_another_ends_the_approval(
    guard: AGuard, owner: UserRow | None, reason: str
) -> None:
    if owner is None:
        del guard.receiver.rows.users[USER_ID]
    else:
        guard.receiver.rows.users[USER_ID] = owner
    await guard.drift.run()
    assert reason in state(guard)[1]


async def test_a_disabled_account_proves_nothing(guard: AGuard) -> None:
    change(guard, is_enabled=False)
    assert (await guard.drift.run()).withdrawn == 0


async def test_what_does_not_answer_changes_nothing(guard: AGuard) -> None:
    del guard.receiver.directory.people[OBJECT_ID]
    guard.receiver.directory.is_down = True
    result = await guard.drift.run()
    assert (result.unanswered, result.withdrawn) == (1, 0)
    assert state(guard)[0] == "approved"


async def test_an_approval_granted_meanwhile_stays(guard: AGuard) -> None:
    del guard.receiver.directory.people[OBJECT_ID]
    original = guard.receiver.directory.person

    async def meanwhile(key: str) -> Person | None:
        grant_many(guard, [MAILBOX_ID], read_at="later")
        return await original(key)

    guard.receiver.directory.person = meanwhile  # type: ignore[method-assign]
    assert (await guard.drift.run()).withdrawn == 0
    assert state(guard)[0] == "approved"


def grant_many(guard: AGuard, record_ids: list[str], **evidence: str) -> None:
    def write(connection: Connection) -> None:
        for record_id in record_ids:
            approvals.grant(
                connection,
                record_id=record_id,
                address=f"{record_id}@contoso.com",
                object_id=record_id,
                owner_id=record_id,
                owner_type="queue",
                evidence=evidence,
                now=guard.receiver.clock.now(),
            )

    guard.database.write_now(write, failpoint=drift.DRIFTED)


def slowly(guard: AGuard) -> drift.DriftWatch:
    """Return a watch of its own that looks at twenty approvals a round."""
    receiver = guard.receiver
    return drift.DriftWatch(
        guard.database,
        receiver.rows,
        receiver.directory,
        receiver.judge,
        receiver.clock,
        receiver.metrics,
        round_seconds=1,
    )


class TestManyAtOnce:
    """Every approval is of a queue of its own; who is not in Entra has drifted."""

    @pytest.fixture
    def ids(self, guard: AGuard) -> list[str]:
        ids = [str(uuid.UUID(int=number)) for number in range(1, 65)]
        for one in ids:
            guard.receiver.directory.people[one] = Person(one, f"{one}@contoso.com")
        grant_many(guard, ids)
        return ids

    def ended(self, guard: AGuard, ids: list[str]) -> int:
        return sum(state(guard, one)[0] == "withdrawn" for one in ids)

    def lose(self, guard: AGuard, ids: list[str]) -> None:
        for one in ids:
            del guard.receiver.directory.people[one]

    async def test_too_many_stop_before_the_first(self, guard: AGuard, ids: list[str]) -> None:
        self.lose(guard, ids[:21])
        result = await guard.drift.run()
        assert result.brake == Braked("guard.evidence", 21, len(ids) + 1)
        assert (result.drifted, result.withdrawn_before) == (21, 0)
        assert self.ended(guard, ids) == 0
        guard.receiver.directory.people[ids[0]] = Person(ids[0], f"{ids[0]}@contoso.com")
        assert (await guard.drift.run()).withdrawn == 20

    async def test_a_large_fleet_takes_several_rounds(self, guard: AGuard, ids: list[str]) -> None:
        slow = slowly(guard)
        self.lose(guard, [*ids[18:20], ids[50]])
        assert [(await slow.run()).withdrawn for _ in range(4)] == [2, 0, 1, 0]

    async def test_the_brake_counts_rounds_and_passes_together(
        self, guard: AGuard, ids: list[str]
    ) -> None:
        slow = slowly(guard)
        self.lose(guard, ids[:30])
        rounds = [await slow.run() for _ in range(12)]
        assert rounds[0].brake is None
        assert all(one.brake is not None and one.drifted == 30 for one in rounds[1:])
        assert self.ended(guard, ids) == 0

    async def test_many_in_a_round_wait_until_all_were_counted(
        self, guard: AGuard, ids: list[str]
    ) -> None:
        slow = slowly(guard)
        self.lose(guard, ids[:15])
        assert [(await slow.run()).withdrawn for _ in range(5)] == [0, 0, 0, 0, 15]

    async def test_few_in_each_round_are_stopped_at_the_limit(
        self, guard: AGuard, ids: list[str]
    ) -> None:
        slow = slowly(guard)
        withdrawn = []
        for _ in range(3):
            self.lose(guard, [one for one in ids if one in guard.receiver.directory.people][:5])
            withdrawn += [(await slow.run()).withdrawn for _ in range(4)]
        assert sum(withdrawn) == 15
        self.lose(guard, [one for one in ids if one in guard.receiver.directory.people][:6])
        rounds = [await slow.run() for _ in range(8)]
        assert sum(one.withdrawn for one in rounds) == 0
        assert rounds[-1].brake == Braked("guard.evidence", 21, len(ids) + 1 - 15)
        assert (rounds[-1].drifted, rounds[-1].withdrawn_before) == (6, 15)

    async def test_what_drifts_later_the_same_day_is_stopped_too(
        self, guard: AGuard, ids: list[str], clock: FrozenClock
    ) -> None:
        self.lose(guard, ids[:14])
        assert (await guard.drift.run()).withdrawn == 14
        # It counts by cause: whatever the reasons say.
        assert guard.database.write_now(reword, failpoint=drift.DRIFTED)
        self.lose(guard, ids[14:25])
        clock.advance(timedelta(hours=23).total_seconds())
        result = await guard.drift.run()
        assert result.brake is not None
        assert (result.drifted, result.withdrawn_before) == (11, 14)
        assert self.ended(guard, ids) == 14

    async def test_neither_a_restart_nor_another_process_begins_anew(
        self, guard: AGuard, ids: list[str]
    ) -> None:
        self.lose(guard, ids[:20])
        await guard.drift.run()
        self.lose(guard, ids[20:21])
        result = await slowly(guard).run()
        assert (result.withdrawn, result.brake is None) == (0, False)

    async def test_a_day_later_as_many_may_be_withdrawn_again(
        self, guard: AGuard, ids: list[str], clock: FrozenClock
    ) -> None:
        self.lose(guard, ids[:20])
        await guard.drift.run()
        self.lose(guard, ids[20:30])
        assert (await guard.drift.run()).brake
        clock.advance(timedelta(hours=24, seconds=1).total_seconds())
        assert (await guard.drift.run()).withdrawn == 10

    async def test_what_others_withdrew_counts_nothing(
        self, guard: AGuard, ids: list[str], clock: FrozenClock
    ) -> None:
        def by_a_person(connection: Connection) -> None:
            for one in ids[:30]:
                # A person's words may well be the watch's own: they are not what is counted.
                approvals.withdraw_by_person(
                    connection,
                    record_id=one,
                    by="Ben",
                    reason=f"CHG-30140. {drift.ANEW}",
                    now=clock.now(),
                )

        guard.database.write_now(by_a_person, failpoint=drift.DRIFTED)
        self.lose(guard, ids[30:31])
        assert (await guard.drift.run()).withdrawn == 1

    def resting(self, guard: AGuard) -> set[str]:
        found = guard.database.read_now(stops.list_all)
        return {one.record_id for one in found}

    async def test_what_a_brake_keeps_from_being_withdrawn_rests_until_a_person_lets_it_go(
        self, guard: AGuard, ids: list[str]
    ) -> None:
        self.lose(guard, ids[:22])
        await guard.drift.run()
        assert self.resting(guard) == set(ids[:22])
        # One that holds again rests no longer; the others do, whoever looks at them.
        guard.receiver.directory.people[ids[0]] = Person(ids[0], f"{ids[0]}@contoso.com")
        self.lose(guard, ids[22:23])
        another = slowly(guard)
        for _ in range(5):
            await another.run()
        assert self.resting(guard) == set(ids[1:23])
        assert self.ended(guard, ids) == 0

        def let_go(connection: Connection) -> None:
            stops.release(connection, "guard.evidence", now=guard.receiver.clock.now())

        guard.database.write_now(let_go, failpoint=stops.RELEASED)
        # What was let go on counts no more: what comes later is counted anew.
        self.lose(guard, ids[23:26])
        assert (await guard.drift.run()).withdrawn == 22 + 3
        assert self.ended(guard, ids) == 22 + 3
        assert self.resting(guard) == set()

    async def test_what_waits_for_a_second_look_rests_meanwhile(
        self, guard: AGuard, ids: list[str]
    ) -> None:
        slow = slowly(guard)
        self.lose(guard, ids[:15])
        assert (await slow.run()).withdrawn == 0
        assert self.resting(guard) == set(ids[:15])
        for _ in range(4):
            await slow.run()
        assert self.ended(guard, ids) == 15
        assert self.resting(guard) == set()


async def test_evidence_that_holds_is_confirmed_before_it_is_half_as_old_as_allowed(
    guard: AGuard, clock: FrozenClock
) -> None:
    granted = guard.approval()
    clock.advance(19 * 60)
    await guard.drift.run()
    assert guard.approval() == granted
    clock.advance(2 * 60)
    await guard.drift.run()
    held = guard.approval()
    assert held is not None
    assert granted is not None
    assert held.looked_up_at == clock.now()
    assert held.epoch == granted.epoch


async def test_what_nobody_answers_is_not_confirmed(guard: AGuard, clock: FrozenClock) -> None:
    granted = guard.approval()
    guard.receiver.directory.is_down = True
    clock.advance(2 * 60 * 60)
    await guard.drift.run()
    assert guard.approval() == granted
