from __future__ import annotations

import uuid
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection

from guard.obligations.grant import GRANTED
from guard.obligations.restoration import Rejected, restoration, way_back
from guard.obligations.revert import Revert
from guard.obligations.table import KINDS
from guard.ports.rows import UserRow
from kernel import approvals, tasks
from kernel.clock import FrozenClock
from kernel.database import Database
from kernel.tasks import TaskState
from kernel.workers import LET_GO_ON
from rules.model.decision import Outcome
from tests.guard.assembled import AGuard, a_guard
from tests.guard.builders import (
    ADMIN_ID,
    GUARD_ID,
    MAILBOX_BEFORE,
    MAILBOX_ID,
    QUEUE_ID,
    USER_ID,
    body,
    choice,
    reference,
)
from tests.guard.obligations.decided import committed

CEO = {"emailaddress": "ceo@contoso.com"}
NO_CHANGE = """
apiVersion: guard/v1
kind: Policy
name: none
mode: enforce
match: {entity: mailbox, operations: [update]}
rules:
  - id: unchanged
    require: [{field: COLUMN, changed: false}]
    message: The column stays.
"""


OWED_BY = committed(Outcome.REJECT, emailaddress="ceo@contoso.com")


@pytest.mark.parametrize(("outcome", "is_hold"), [(Outcome.HOLD, True), (Outcome.REJECT, False)])
def test_it_remembers_what_was_altered_and_whether_it_waits(
    outcome: Outcome, is_hold: bool
) -> None:
    owed = Revert.owed_by(committed(outcome, emailaddress="ceo@contoso.com", name="anna"))
    assert owed is not None
    assert (owed.altered, owed.is_hold) == (("emailaddress",), is_hold)
    assert "name" not in owed.after


@pytest.fixture
def guard(database: Database, clock: FrozenClock) -> AGuard:
    return a_guard(database, clock)


def row_of(guard: AGuard, table: str = "mailbox", record_id: str = MAILBOX_ID) -> dict[str, Any]:
    stored = guard.receiver.rows._stored(table, record_id)
    assert stored is not None
    return dict(stored.columns)


async def commit(guard: AGuard, **columns: Any) -> None:
    guard.receiver.rows.put("mailbox", MAILBOX_ID, **columns)


async def test_a_rejected_address_is_restored_and_the_approval_set_to_3(guard: AGuard) -> None:
    await commit(guard, **CEO)
    answer = await guard.deliver(CEO, mode=1)
    assert answer.body["decision"] == "reject"
    row = row_of(guard)
    assert (row["emailaddress"], row["emailrouteraccessapproval"]) == ("anna@contoso.com", 3)
    (written,) = guard.receiver.rows.written
    assert written.tag.startswith("mailbox-guard-")
    (listed,) = guard.decisions()
    assert [(one["kind"], one["state"]) for one in listed["obligations"]] == [("revert", "done")]


async def test_what_was_approved_since_stands(guard: AGuard, clock: FrozenClock) -> None:
    """A revert that waited long must not undo what the guard has read and judged meanwhile."""
    await commit(guard, **CEO)
    await guard.receiver.post(body(CEO, mode=1))
    now = clock.now()

    def approve(connection: Connection) -> None:
        approvals.grant(
            connection,
            record_id=MAILBOX_ID,
            address=CEO["emailaddress"],
            object_id="o-anna",
            owner_id=USER_ID,
            owner_type="systemuser",
            evidence={},
            now=now,
        )

    guard.database.write_now(approve, failpoint=GRANTED)
    await guard.carry_out()
    assert not guard.receiver.rows.written
    (listed,) = guard.decisions()
    assert [one["state"] for one in listed["obligations"]] == ["done"]
    # What was approved is known good: nobody finds it later as a difference.
    assert (await guard.reconciler.run()).refused == 0


@pytest.mark.parametrize(("column", "sent"), [("emailaddress", "c@contoso.com"), ("username", "c")])
async def test_what_was_empty_before_and_so_not_in_the_image_becomes_empty_again(
    database: Database, clock: FrozenClock, column: str, sent: str
) -> None:
    documents = {"policies/none.yaml": NO_CHANGE.replace("COLUMN", column)}
    guard = a_guard(database, clock, documents=documents)
    await commit(guard, **{column: sent})
    before = {name: value for name, value in MAILBOX_BEFORE.items() if name != column}
    answer = await guard.deliver({column: sent}, mode=1, before=before)
    assert answer.body["decision"] == "reject"
    assert row_of(guard)[column] is None


def a_rejected_edit(before: dict[str, Any]) -> Rejected:
    return Rejected(
        "mailbox", MAILBOX_ID, "update", False,
        before=before,
        after={"emailaddress": "anna@contoso.com", "ownerid.id": QUEUE_ID, "username": "x"},
        altered=("ownerid.id", "username"),
    )  # fmt: skip


def test_nothing_is_emptied_where_nothing_is_known_and_an_owner_never() -> None:
    row = {"ownerid.id": QUEUE_ID, "username": "x", "emailrouteraccessapproval": 3}
    nothing, some = a_rejected_edit({}), a_rejected_edit({"emailaddress": "anna@contoso.com"})
    assert restoration(nothing, row, way_back(nothing, None)) == {}
    assert restoration(some, row, way_back(some, None)) == {"username": None}
    unknown = replace(some, unknown=("username",))
    assert restoration(unknown, row, way_back(unknown, None)) == {}


async def test_only_what_was_altered_is_restored(guard: AGuard) -> None:
    await commit(guard, **CEO, incomingemaildeliverymethod=2)
    await guard.deliver(CEO | {"incomingemaildeliverymethod": choice(2)}, mode=1)
    (written,) = guard.receiver.rows.written
    assert set(written.columns) == {"emailaddress", "emailrouteraccessapproval"}


async def test_a_column_that_was_mended_meanwhile_is_left_alone(guard: AGuard) -> None:
    await commit(guard, emailaddress="anna@contoso.com", emailrouteraccessapproval=2)
    await guard.deliver(CEO, mode=1)
    assert not guard.receiver.rows.written


async def test_a_rejected_approval_becomes_3(guard: AGuard) -> None:
    await commit(guard, emailrouteraccessapproval=1)
    await guard.deliver({"emailrouteraccessapproval": choice(1)}, mode=1)
    assert row_of(guard)["emailrouteraccessapproval"] == 3


async def test_a_held_change_becomes_pending(guard: AGuard) -> None:
    guard.receiver.rows.users[USER_ID] = UserRow(USER_ID, "vip@contoso.com")
    await commit(guard, emailaddress="vip@contoso.com", emailrouteraccessapproval=1)
    answer = await guard.deliver({"emailaddress": "vip@contoso.com"}, mode=1)
    assert answer.body["decision"] == "hold"
    row = row_of(guard)
    assert (row["emailaddress"], row["emailrouteraccessapproval"]) == ("anna@contoso.com", 2)


async def test_an_insensitive_column_leaves_the_approval_untouched(
    database: Database, clock: FrozenClock
) -> None:
    from tests.guard.assembled import ADVICE

    guard = a_guard(
        database, clock, documents={"a.yaml": ADVICE.replace("mode: warn", "mode: enforce")}
    )
    await commit(guard, incomingemaildeliverymethod=1)
    await guard.deliver({"incomingemaildeliverymethod": choice(1)}, mode=1)
    (written,) = guard.receiver.rows.written
    assert written.columns == {"incomingemaildeliverymethod": 2}


async def test_a_rejected_create_is_set_to_3_and_keeps_its_address(guard: AGuard) -> None:
    await commit(guard, **CEO)
    owner = {"regardingobjectid": reference("systemuser", USER_ID)}
    await guard.deliver(CEO | owner, mode=1, message="Create")
    row = row_of(guard)
    assert (row["emailaddress"], row["emailrouteraccessapproval"]) == ("ceo@contoso.com", 3)


async def test_an_owner_is_bound_back(guard: AGuard) -> None:
    other = {"ownerid__id": ADMIN_ID, "ownerid__type": "systemuser"}
    before = MAILBOX_BEFORE | {"regardingobjectid": None}
    await commit(guard, **other, regardingobjectid__id=None, emailaddress="anna@contoso.com")
    guard.receiver.policies.swap(owner_pinned())
    await guard.deliver({"ownerid": reference("systemuser", ADMIN_ID)}, mode=1, before=before)
    row = row_of(guard)
    assert (row["ownerid.id"], row["ownerid.type"]) == (USER_ID, "systemuser")
    assert row["emailrouteraccessapproval"] == 3


def owner_pinned() -> Any:
    from rules.load.loader import load_documents

    return load_documents(
        {
            "p.yaml": """
apiVersion: guard/v1
kind: Policy
name: owner-pinned
title: Owners stay
severity: high
mode: enforce
match: {entity: mailbox, operations: [update]}
rules:
  - id: same-owner
    require: [{field: ownerid.id, changed: false}]
    message: The owner may not change.
"""
        }
    )


async def test_an_app_that_may_not_approve_needs_a_person(guard: AGuard) -> None:
    guard.receiver.rows.may_approve = False
    await commit(guard, **CEO)
    await guard.deliver(CEO, mode=1)
    row = row_of(guard)
    assert row["emailaddress"] == "anna@contoso.com"
    (listed,) = guard.decisions()
    assert listed["obligations"][0]["state"] == "needs-person"


async def test_an_app_that_may_not_write_needs_a_person(guard: AGuard) -> None:
    guard.receiver.rows.may_write = False
    await commit(guard, **CEO)
    await guard.deliver(CEO, mode=1)
    (listed,) = guard.decisions()
    assert listed["obligations"][0]["state"] == "needs-person"


async def test_an_address_that_belongs_to_the_user_is_restored_there(guard: AGuard) -> None:
    rows = guard.receiver.rows
    rows.address_elsewhere = True
    await commit(guard, **CEO)
    rows.put(
        "systemuser",
        USER_ID,
        internalemailaddress="ceo@contoso.com",
        emailrouteraccessapproval=2,
        domainname="anna@contoso.com",
    )
    await guard.deliver(CEO, mode=1)
    user = row_of(guard, "systemuser", USER_ID)
    assert user["internalemailaddress"] == "anna@contoso.com"
    assert user["emailrouteraccessapproval"] == 3
    assert row_of(guard)["emailrouteraccessapproval"] == 3


async def test_an_address_that_its_owner_no_longer_has_is_left_there(guard: AGuard) -> None:
    rows = guard.receiver.rows
    rows.address_elsewhere = True
    await commit(guard, **CEO)
    rows.put("systemuser", USER_ID, internalemailaddress="boss@contoso.com")
    await guard.deliver(CEO, mode=1)
    assert row_of(guard, "systemuser", USER_ID)["internalemailaddress"] == "boss@contoso.com"
    assert row_of(guard)["emailrouteraccessapproval"] == 3


@pytest.mark.parametrize(
    ("regarding", "reason"),
    [(None, "regards nobody"), (QUEUE_ID, "the row that owns the address is gone")],
)
async def test_an_address_that_belongs_to_no_row_needs_a_person(
    guard: AGuard, regarding: str | None, reason: str
) -> None:
    guard.receiver.rows.address_elsewhere = True
    kind = None if regarding is None else "queue"
    await commit(guard, **CEO, regardingobjectid__id=regarding, regardingobjectid__type=kind)
    answer = await guard.deliver(CEO, mode=1)
    assert not guard.receiver.rows.written
    [task] = guard.database.read_now(lambda c: tasks.list_for(c, answer.body["decision_id"]))
    assert (task.state, reason in str(task.result)) == (TaskState.NEEDS_PERSON, True)


async def test_a_row_that_keeps_changing_is_tried_again_later(
    guard: AGuard, clock: FrozenClock
) -> None:
    rows = guard.receiver.rows
    await commit(guard, **CEO)
    original = rows.update

    async def racing(table: str, record_id: str, columns: Any, *, etag: str, tag: str) -> None:
        rows.put("mailbox", MAILBOX_ID, name="touched again")
        await original(table, record_id, columns, etag=etag, tag=tag)

    rows.update = racing  # type: ignore[method-assign]
    answer = await guard.deliver(CEO, mode=1)
    [task] = guard.database.read_now(lambda c: tasks.list_for(c, answer.body["decision_id"]))
    assert (task.state, task.result) == (TaskState.QUEUED, "the row keeps changing")

    rows.update = original  # type: ignore[method-assign]
    clock.advance(60)
    await guard.carry_out()
    assert row_of(guard)["emailaddress"] == "anna@contoso.com"


async def test_a_row_that_changes_under_the_revert_is_looked_at_again(guard: AGuard) -> None:
    rows = guard.receiver.rows
    await commit(guard, **CEO)
    original = rows.update
    calls = 0

    async def racing(table: str, record_id: str, columns: Any, *, etag: str, tag: str) -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            rows.put("mailbox", MAILBOX_ID, name="touched")
        await original(table, record_id, columns, etag=etag, tag=tag)

    rows.update = racing  # type: ignore[method-assign]
    await guard.deliver(CEO, mode=1)
    assert calls == 2
    assert row_of(guard)["emailaddress"] == "anna@contoso.com"


async def test_carried_out_twice_it_writes_once(guard: AGuard, clock: FrozenClock) -> None:
    await commit(guard, **CEO)
    await guard.deliver(CEO, mode=1)
    (listed,) = guard.decisions()
    (task,) = guard.database.read_now(lambda c: tasks.list_for(c, listed["id"]))
    assert str(await Revert(guard.parts.means).handle(task)) == "Done(result='nothing to restore')"
    assert len(guard.receiver.rows.written) == 1


class TestOwnWrites:
    @pytest.fixture
    async def tag(self, guard: AGuard) -> str:
        await commit(guard, **CEO)
        await guard.deliver(CEO, mode=1)
        return guard.receiver.rows.written[0].tag

    RESTORED = (("emailaddress", "anna@contoso.com"), ("emailrouteraccessapproval", 3))
    AFTER_REJECTION = MAILBOX_BEFORE | CEO

    @pytest.mark.parametrize("mode", [0, 1])
    async def test_they_are_recognised_by_nonce_user_and_values(
        self, guard: AGuard, tag: str, mode: int
    ) -> None:
        restored = {"emailaddress": "anna@contoso.com", "emailrouteraccessapproval": choice(3)}
        before = self.AFTER_REJECTION
        answer = await guard.deliver(restored, mode=mode, actor=GUARD_ID, tag=tag, before=before)
        assert (answer.status, answer.body["cause"]) == (200, "own-write")

    @pytest.mark.parametrize(
        "change",
        [
            {"actor": USER_ID},
            {"tag": "mailbox-guard-guessed"},
            {"tag": None},
            {"target": {"emailaddress": "boss@contoso.com"}},
            {"target": {"emailrouteraccessapproval": choice(1)}},
            {"record_id": QUEUE_ID},
        ],
    )
    async def test_without_one_of_them_they_are_judged(
        self, guard: AGuard, tag: str, change: dict[str, Any]
    ) -> None:
        named: dict[str, Any] = {
            "target": {"emailaddress": "anna@contoso.com"},
            "actor": GUARD_ID,
            "tag": tag,
            "before": self.AFTER_REJECTION,
        }
        answer = await guard.deliver(**(named | change))
        assert answer.body["cause"] != "own-write"


async def test_many_reverts_at_once_pull_the_brake(guard: AGuard) -> None:
    for _ in range(21):
        record_id = str(uuid.uuid4())
        guard.receiver.rows.put("mailbox", record_id, **CEO, statecode=0)
        await guard.receiver.post(body(CEO, mode=1, record_id=record_id))
    await guard.carry_out()
    assert not guard.receiver.rows.written
    states = {one["state"] for listed in guard.decisions() for one in listed["obligations"]}
    assert states == {"needs-person"}
    # A person's word is about exactly these: they are not counted against each other again.
    now = guard.receiver.clock.now()
    go_on = partial(tasks.release, now=now, kinds=KINDS)
    assert guard.database.write_now(go_on, failpoint=LET_GO_ON) == 21
    await guard.carry_out()
    states = {one["state"] for listed in guard.decisions() for one in listed["obligations"]}
    assert states == {"done"}
    assert len(guard.receiver.rows.written) == 21


async def test_forged_rejections_about_rows_that_are_not_there_count_nothing(
    guard: AGuard,
) -> None:
    there = str(uuid.uuid4())
    for number in range(31):
        record_id = there if number == 5 else str(uuid.uuid4())
        if record_id == there:
            guard.receiver.rows.put("mailbox", record_id, **CEO, statecode=0)
        elif number % 2:
            # It is there, but holds nothing of what was said of it.
            guard.receiver.rows.put("mailbox", record_id, emailaddress="ben@contoso.com")
        await guard.receiver.post(body(CEO, mode=1, record_id=record_id))
    await guard.carry_out()
    assert [one.record_id for one in guard.receiver.rows.written] == [there]
    states = {one["state"] for listed in guard.decisions() for one in listed["obligations"]}
    assert states == {"done"}


async def test_reverts_that_waited_long_are_counted_too(guard: AGuard, clock: FrozenClock) -> None:
    ids = [str(uuid.uuid4()) for _ in range(21)]
    guard.receiver.rows.is_down = True
    for record_id in ids:
        guard.receiver.rows.put("mailbox", record_id, **CEO, statecode=0)
        await guard.receiver.post(body(CEO, mode=1, record_id=record_id))
        clock.advance(10)
    guard.receiver.rows.is_down = False
    clock.advance(3600)
    await guard.carry_out()
    assert not guard.receiver.rows.written


async def test_what_was_written_lately_counts_with_what_is_about_to_be(
    guard: AGuard, clock: FrozenClock
) -> None:
    for count in range(25):
        record_id = str(uuid.uuid4())
        guard.receiver.rows.put("mailbox", record_id, **CEO, statecode=0)
        await guard.deliver(CEO, mode=1, record_id=record_id)
        assert len(guard.receiver.rows.written) == min(count + 1, 20)
    clock.advance(61)
    record_id = str(uuid.uuid4())
    guard.receiver.rows.put("mailbox", record_id, **CEO, statecode=0)
    await guard.deliver(CEO, mode=1, record_id=record_id)
    assert len(guard.receiver.rows.written) == 21
