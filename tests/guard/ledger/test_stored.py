from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import text

from guard.errors import DecisionUnknown
from guard.ledger import mirror
from guard.ledger.entry import Effects, Entry, MirrorRow, NewTask, Withdrawal
from guard.ledger.filters import DecisionFilter
from guard.ledger.listing import get_decision, list_decisions
from guard.ledger.stored import DECISION, StoredLedger
from guard.ledger.verify import verify
from kernel import approvals, tasks
from kernel.approvals import WithdrawalCause
from kernel.clock import FrozenClock
from kernel.database import Database
from kernel.failpoints import Crash, CrashAt
from kernel.ids import new_id
from tests.guard.builders import MAILBOX_ID, USER_ID

CHANGE = WithdrawalCause.CHANGE


def an_entry(clock: FrozenClock, **named: Any) -> Entry:
    clock.advance(0.01)
    return replace(
        Entry(
            id=new_id(clock.now()),
            decided_at=clock.now(),
            decision="allow",
            cause="rules",
            table="mailbox",
            record_id=MAILBOX_ID,
            status=200,
            key=None,
            public={"operation": "update", "mode": 0, "stage": 20, "rules": [], "obliged": True},
            private={
                "before": {"emailaddress": "x", "statecode": 0},
                "altered": {"emailaddress": "anna@contoso.com", "statecode": 0},
                "findings": [],
            },
        ),
        **named,
    )


@pytest.fixture
def ledger(database: Database, clock: FrozenClock) -> StoredLedger:
    return StoredLedger(database, clock)


async def test_recorded_decisions_are_listed_newest_first(
    ledger: StoredLedger, database: Database, clock: FrozenClock
) -> None:
    entries = [an_entry(clock) for _ in range(5)]
    await asyncio.gather(*(ledger.record(entry) for entry in entries))
    listed = database.read_now(list_decisions)
    assert [one["id"] for one in listed] == [entry.id for entry in reversed(entries)]
    assert listed[0]["decided_at"].endswith("Z")
    assert database.read_now(lambda c: list_decisions(c, limit=2))[1]["id"] == entries[3].id
    assert database.read_now(verify).is_whole


async def test_filters_choose_what_is_listed(
    ledger: StoredLedger, database: Database, clock: FrozenClock
) -> None:
    await ledger.record(an_entry(clock))
    since = clock.now() + timedelta(milliseconds=1)
    rejected = an_entry(
        clock, decision="reject", table="queue", record_id=USER_ID, public={"rules": ["own/upn"]}
    )
    await ledger.record(rejected)
    for filters in (
        {"decision": "reject"},
        {"table": "queue"},
        {"record": USER_ID.upper()},
        {"rule": "own/upn"},
        {"rule": "own"},
        {"since": since},
    ):
        listed = database.read_now(lambda c, f=filters: list_decisions(c, DecisionFilter(**f)))
        assert [one["id"] for one in listed] == [rejected.id], filters


async def test_an_identical_delivery_gets_its_recorded_answer_and_causes_nothing(
    ledger: StoredLedger, database: Database, clock: FrozenClock
) -> None:
    first = an_entry(clock, key="k")
    effects = Effects(tasks=(NewTask("revert", "r1", {}),))
    await ledger.record(first, effects=effects)
    other, again = an_entry(clock), an_entry(clock, key="k", decision="reject")
    new, repeated = await asyncio.gather(
        ledger.record(other),
        ledger.record(again, effects=Effects(tasks=(NewTask("revert", "r2", {}),))),
    )
    assert (new.id, new.is_repeat) == (other.id, False)
    assert (repeated.id, repeated.decision, repeated.is_repeat) == (first.id, "allow", True)
    assert repeated.private == first.private
    assert len(database.read_now(list_decisions)) == 2
    assert database.read_now(lambda c: tasks.find(c, kind="revert", key="r2")) is None
    assert database.read_now(verify).is_whole


async def test_two_identical_deliveries_at_once_become_one_decision(
    ledger: StoredLedger, database: Database, clock: FrozenClock
) -> None:
    entries = [an_entry(clock, key="k") for _ in range(3)]
    answers = await asyncio.gather(*(ledger.record(entry) for entry in entries))
    assert {answer.id for answer in answers} == {answers[0].id}
    assert len(database.read_now(list_decisions)) == 1


async def test_effects_are_written_with_the_decision(
    ledger: StoredLedger, database: Database, clock: FrozenClock
) -> None:
    database.write_now(
        lambda c: approvals.grant(
            c,
            record_id=MAILBOX_ID,
            address="anna@contoso.com",
            object_id="o",
            owner_id=USER_ID,
            owner_type="user",
            evidence={},
            now=clock.now(),
        ),
        failpoint=DECISION,
    )
    entry = an_entry(clock)
    await ledger.record(
        entry,
        effects=Effects(
            tasks=(NewTask("revert", "r1", {"a": 1}),),
            withdrawals=(
                Withdrawal(CHANGE, "kept", owner_id=USER_ID, unless_address="ANNA@contoso.com"),
            ),
            mirror=MirrorRow(
                "mailbox", MAILBOX_ID, {"statecode": 0, "ownerid.id": "x"}, clock.now()
            ),
        ),
    )
    assert (await ledger.mirrored("mailbox", MAILBOX_ID)) is not None
    assert len(await ledger.mailboxes_of("x")) == 1
    held = database.read_now(lambda c: approvals.find(c, MAILBOX_ID))
    assert held is not None
    assert held.state == "approved"
    withdrawn = Effects(withdrawals=(Withdrawal(CHANGE, "gone", owner_id=USER_ID),))
    await ledger.record(an_entry(clock), effects=withdrawn)
    held = database.read_now(lambda c: approvals.find(c, MAILBOX_ID))
    assert held is not None
    assert (held.state, held.reason) == ("withdrawn", "gone")
    shown = database.read_now(lambda c: get_decision(c, entry.id))
    assert [one["kind"] for one in shown["obligations"]] == ["revert"]


async def test_a_copy_replaces_the_one_that_it_was_made_from_and_no_other(
    ledger: StoredLedger, database: Database, clock: FrozenClock
) -> None:
    first = MirrorRow("mailbox", MAILBOX_ID, {"statecode": 0, "name": "x"}, clock.now())
    second = MirrorRow(
        "mailbox", MAILBOX_ID, {"statecode": 1}, clock.now(), good={"statecode": True}, revision=1
    )
    late = replace(first, columns={"statecode": 2})
    kept = [
        await database.write(partial(mirror.keep, row=row), failpoint=DECISION)
        for row in (second, first, late, second, replace(late, revision=1))
    ]
    assert kept == [False, True, False, True, False]
    known = await ledger.mirrored("mailbox", MAILBOX_ID)
    assert known == replace(second, revision=2)
    assert known.known_good == {"statecode": 1}


async def test_decisions_on_a_row_come_back_with_their_values(
    ledger: StoredLedger, clock: FrozenClock
) -> None:
    entry = an_entry(clock)
    await ledger.record(entry)
    await ledger.record(an_entry(clock, record_id=USER_ID))
    (found,) = await ledger.decisions_on(MAILBOX_ID, since=entry.decided_at)
    assert found.id == entry.id
    assert found.private is not None
    assert not await ledger.decisions_on(MAILBOX_ID, since=clock.now())


async def test_a_decision_that_is_unknown_is_named(database: Database) -> None:
    with pytest.raises(DecisionUnknown, match="No decision"):
        database.read_now(lambda c: get_decision(c, "nothing"))


class TestVerify:
    @pytest.fixture
    async def recorded(self, ledger: StoredLedger, clock: FrozenClock) -> list[Entry]:
        entries = [an_entry(clock, key=f"k{number}") for number in range(6)]
        for entry in entries[:4]:
            await ledger.record(entry)
        await ledger.make_checkpoint()
        for entry in entries[4:]:
            await ledger.record(entry)
        return entries

    @pytest.mark.parametrize(
        "alteration",
        [
            "decision = 'reject'",
            "cause = 'error'",
            "table_name = 'queue'",
            "record_id = 'other'",
            "delivery_key = 'other'",
            "status = 403",
            "commitment = 'other'",
            "decided_at = decided_at + 1",
            "public = replace(public, 'update', 'create')",
            "private = '{}'",
            "salt = 'other'",
            "digest = 'other'",
            "private = NULL",
            "private = NULL, salt = NULL",
        ],
    )
    async def test_an_altered_row_is_found(
        self, recorded: list[Entry], database: Database, alteration: str
    ) -> None:
        assert database.read_now(verify).is_whole
        alter(database, f"UPDATE guard_decisions SET {alteration} WHERE id = '{recorded[2].id}'")
        assert database.read_now(verify).first_bad_id == recorded[2].id

    async def test_a_masked_private_part_is_no_alteration(
        self, recorded: list[Entry], ledger: StoredLedger, database: Database
    ) -> None:
        assert await ledger.mask(recorded[2].id)
        verdict = database.read_now(verify)
        assert verdict.is_whole
        assert (verdict.checked, verdict.masked) == (6, 1)

    async def test_a_row_taken_out_is_found(
        self, recorded: list[Entry], database: Database
    ) -> None:
        alter(database, f"DELETE FROM guard_decisions WHERE id = '{recorded[2].id}'")
        assert database.read_now(verify).first_bad_id == recorded[3].id

    @pytest.mark.parametrize("kept", [5, 4, 3, 0])
    async def test_a_cut_tail_is_found(
        self, recorded: list[Entry], database: Database, kept: int
    ) -> None:
        alter(database, f"DELETE FROM guard_decisions WHERE seq >= {kept}")
        assert not database.read_now(verify).is_whole

    @pytest.mark.parametrize("kept", [3, 0])
    async def test_a_tail_cut_with_its_head_is_found_against_the_checkpoint(
        self, recorded: list[Entry], database: Database, kept: int
    ) -> None:
        alter(database, f"DELETE FROM guard_decisions WHERE seq >= {kept}")
        if kept:
            alter(
                database,
                f"UPDATE guard_chains SET count = {kept}, head ="
                f" (SELECT digest FROM guard_decisions WHERE seq = {kept - 1})",
            )
        else:
            alter(database, "DELETE FROM guard_chains")
        verdict = database.read_now(verify)
        assert verdict.first_bad_id == recorded[3].id
        assert "checkpoint" in (verdict.reason or "")

    async def test_an_altered_checkpoint_is_found(
        self, recorded: list[Entry], database: Database
    ) -> None:
        alter(database, "UPDATE guard_checkpoints SET heads = replace(heads, '4', '3')")
        assert database.read_now(verify).first_bad_id == "checkpoint 1"

    @pytest.mark.parametrize("kept", [0, 1])
    async def test_checkpoints_taken_away_are_found(
        self, recorded: list[Entry], ledger: StoredLedger, database: Database, kept: int
    ) -> None:
        assert recorded
        assert await ledger.make_checkpoint() == 2
        assert database.read_now(verify).is_whole
        alter(database, f"DELETE FROM guard_checkpoints WHERE number > {kept}")
        verdict = database.read_now(verify)
        assert (verdict.first_bad_id, verdict.reason) == (
            "checkpoint 2",
            "the checkpoint is missing",
        )

    async def test_a_later_checkpoint_hides_no_gap(
        self, recorded: list[Entry], ledger: StoredLedger, database: Database, clock: FrozenClock
    ) -> None:
        assert recorded
        alter(database, "DELETE FROM guard_checkpoints")
        await ledger.record(an_entry(clock, key="later"))
        assert await ledger.make_checkpoint() == 2
        assert database.read_now(verify).first_bad_id == "checkpoint 2"

    async def test_checkpoints_rewritten_from_the_first_are_found(
        self, recorded: list[Entry], database: Database, clock: FrozenClock
    ) -> None:
        assert recorded
        alter(database, "DELETE FROM guard_checkpoints")
        alter(database, "DELETE FROM guard_decisions WHERE seq >= 3")
        alter(
            database,
            "UPDATE guard_chains SET count = 3, checkpoint = 1, head ="
            " (SELECT digest FROM guard_decisions WHERE seq = 2)",
        )
        assert database.read_now(verify).first_bad_id == "checkpoint 1"


async def test_a_process_without_decisions_may_write_the_checkpoint(
    ledger: StoredLedger, database: Database, clock: FrozenClock
) -> None:
    await ledger.record(an_entry(clock))
    assert database.read_now(verify).is_whole
    later = StoredLedger(database, clock)
    assert await later.make_checkpoint() == 1
    assert await later.make_checkpoint() is None
    assert database.read_now(verify).is_whole
    await later.record(an_entry(clock, key="later"))
    assert database.read_now(verify).is_whole
    alter(database, "DELETE FROM guard_checkpoints")
    assert database.read_now(verify).first_bad_id == "checkpoint 1"


async def test_an_idle_checkpoint_writes_nothing(ledger: StoredLedger, clock: FrozenClock) -> None:
    assert await ledger.make_checkpoint() is None
    await ledger.record(an_entry(clock))
    assert await ledger.make_checkpoint() == 1
    assert await ledger.make_checkpoint() is None


async def test_each_process_has_its_own_chain(database: Database, clock: FrozenClock) -> None:
    for _ in range(2):
        ledger = StoredLedger(database, clock)
        await ledger.record(an_entry(clock))
        await ledger.record(an_entry(clock))
        await ledger.make_checkpoint()
    verdict = database.read_now(verify)
    assert verdict.is_whole
    assert (verdict.checked, verdict.chains) == (4, 2)


async def test_a_crash_before_the_commit_leaves_nothing_and_after_it_the_decision(
    open_database: Callable[..., Database], clock: FrozenClock
) -> None:
    for point, kept in (("before-commit", 0), ("after-commit", 1)):
        database = open_database(CrashAt(f"{DECISION}:{point}"))
        with pytest.raises(Crash):
            await StoredLedger(database, clock).record(an_entry(clock))
        reopened = open_database()
        assert len(reopened.read_now(list_decisions)) == kept
        assert reopened.read_now(verify).is_whole


def alter(database: Database, statement: str) -> None:
    database.write_now(lambda c: c.execute(text(statement)), failpoint=DECISION)
