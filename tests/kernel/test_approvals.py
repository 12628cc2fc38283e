"""Approvals: the guard grants, anyone withdraws, and no work lands after a withdrawal."""

from __future__ import annotations

import itertools
import threading
import time
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Column, Connection, Integer, Table, func, select

from kernel import approvals, recall, stops
from kernel.approvals import ApprovalState, WithdrawalCause
from kernel.database import Database, insert
from kernel.errors import ApprovalRests, ApprovalWithdrawn
from kernel.failpoints import failpoint
from kernel.stops import Stopped
from kernel.tables import metadata
from tests.conftest import NOON

STEP = failpoint("tests.approval", "An approval of the storage tests.")
pages = Table("test_pages", metadata, Column("number", Integer, primary_key=True))
LATER = NOON + timedelta(minutes=5)


def granting(**changes: Any) -> dict[str, Any]:
    return {
        "record_id": "m1",
        "address": "anna@contoso.com",
        "object_id": "o1",
        "owner_id": "u1",
        "owner_type": "user",
        "evidence": {"decision": "d1"},
        "now": NOON,
        **changes,
    }


def grant(database: Database, **changes: Any) -> int:
    return database.write_now(lambda c: approvals.grant(c, **granting(**changes)), failpoint=STEP)


def withdraw(database: Database, record_id: str = "m1") -> int | None:
    return database.write_now(
        lambda c: approvals.withdraw(
            c, record_id=record_id, cause=WithdrawalCause.CHANGE, reason="left", now=LATER
        ),
        failpoint=STEP,
    )


def found(database: Database) -> approvals.Approval:
    held = database.read_now(lambda c: approvals.find(c, "m1"))
    assert held is not None
    return held


def test_a_first_grant_has_epoch_one_and_keeps_its_evidence(database: Database) -> None:
    assert grant(database, until=LATER) == 1
    assert found(database) == approvals.Approval(
        **{k: v for k, v in granting().items() if k != "now"},
        state=ApprovalState.APPROVED,
        cause=None,
        epoch=1,
        reason="",
        changed_at=NOON,
        until=LATER,
        looked_up_at=NOON,
    )


def test_granting_the_same_again_keeps_epoch_and_moment_and_renews_evidence(
    database: Database,
) -> None:
    grant(database)
    again = {"evidence": {"decision": "d2"}, "now": LATER, "address": "Anna@Contoso.com"}
    assert grant(database, **again) == 1
    held = found(database)
    assert (held.changed_at, held.evidence) == (NOON, {"decision": "d2"})


@pytest.mark.parametrize(
    "change",
    [
        {"address": "b@contoso.com"},
        {"object_id": "o2"},
        {"owner_id": "u2"},
        {"owner_type": "queue"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_another_identity_raises_the_epoch(database: Database, change: dict[str, str]) -> None:
    grant(database)
    assert grant(database, now=LATER, **change) == 2
    assert found(database).changed_at == LATER


def test_a_withdrawal_raises_the_epoch_and_says_why(database: Database) -> None:
    grant(database)
    assert withdraw(database) == 2
    held = found(database)
    assert (held.state, held.reason, held.changed_at) == ("withdrawn", "left", LATER)


def test_withdrawals_are_counted_by_their_cause_and_by_time(database: Database) -> None:
    def count(cause: WithdrawalCause, since: datetime = LATER) -> int:
        return database.read_now(lambda c: approvals.count_withdrawn(c, cause=cause, since=since))

    grant(database)
    assert [count(one) for one in WithdrawalCause] == [0] * len(WithdrawalCause)
    withdraw(database)
    assert {one for one in WithdrawalCause if count(one)} == {WithdrawalCause.CHANGE}
    assert count(WithdrawalCause.CHANGE) == 1
    assert count(WithdrawalCause.CHANGE, LATER + timedelta(seconds=1)) == 0
    grant(database)
    assert count(WithdrawalCause.CHANGE) == 0


def test_only_what_was_approved_can_be_withdrawn_once(database: Database) -> None:
    assert withdraw(database) is None
    grant(database)
    assert withdraw(database) == 2
    assert withdraw(database) is None


def test_a_grant_after_a_withdrawal_is_a_new_epoch(database: Database) -> None:
    grant(database)
    withdraw(database)
    assert grant(database) == 3


def test_an_approval_ends_by_itself_and_a_new_grant_is_a_new_epoch(database: Database) -> None:
    grant(database, until=LATER)
    assert database.read_now(lambda c: approvals.list_approved(c, now=NOON))
    assert database.read_now(lambda c: approvals.list_approved(c, now=LATER)) == []
    with pytest.raises(ApprovalWithdrawn):
        database.read_now(lambda c: permit(c, "m1", epoch=1, now=LATER))
    assert grant(database, now=LATER) == 2


def test_lists_are_in_the_order_of_ids(database: Database) -> None:
    for record_id in ("m3", "m1", "m2"):
        grant(database, record_id=record_id)
    withdraw(database, "m2")
    everything = database.read_now(approvals.list_all)
    assert [held.record_id for held in everything] == ["m1", "m2", "m3"]
    approved = database.read_now(lambda c: approvals.list_approved(c, now=NOON))
    assert [held.record_id for held in approved] == ["m1", "m3"]


HOUR = timedelta(hours=1)
permit = partial(approvals.permit, object_id="o1", evidence_max_age=HOUR)
lock = partial(approvals.lock, object_id="o1")


class TestRest:
    """An approval that rests is approved all the same, and gives no permit."""

    def allow(self, database: Database, now: datetime) -> None:
        database.read_now(lambda c: permit(c, "m1", epoch=1, now=now))

    def test_old_evidence_gives_no_permit_until_it_was_looked_up_again(
        self, database: Database
    ) -> None:
        grant(database)
        self.allow(database, NOON + HOUR)
        later = NOON + HOUR + timedelta(seconds=1)
        with pytest.raises(ApprovalRests, match="longer ago than allowed"):
            self.allow(database, later)
        held = found(database)
        assert held.is_approved(later)
        database.write_now(lambda c: recall.confirm(c, [held], now=later), failpoint=STEP)
        self.allow(database, later)
        assert found(database).changed_at == NOON

    def test_a_clock_that_was_set_back_makes_no_evidence_young(self, database: Database) -> None:
        grant(database)
        self.allow(database, NOON - timedelta(minutes=4))
        with pytest.raises(ApprovalRests):
            self.allow(database, NOON - timedelta(hours=3))

    @pytest.mark.parametrize(
        "meanwhile", [{"evidence": {"decision": "d2"}}, {"address": "a2@contoso.com"}]
    )
    def test_what_was_granted_anew_meanwhile_is_not_confirmed(
        self, database: Database, meanwhile: dict[str, Any]
    ) -> None:
        grant(database)
        held = found(database)
        grant(database, **meanwhile)
        database.write_now(lambda c: recall.confirm(c, [held], now=LATER), failpoint=STEP)
        assert found(database).looked_up_at == NOON

    @pytest.mark.parametrize("check", [lock, permit])
    def test_what_a_brake_stopped_lets_nothing_pass_until_that_has_ended(
        self, database: Database, check: Any
    ) -> None:
        grant(database)
        stopped = [Stopped("s1", "m1", "It changed past the guard.")]

        def ask() -> None:
            database.write_now(lambda c: check(c, "m1", epoch=1, now=NOON), failpoint=STEP)

        database.write_now(
            lambda c: stops.add(c, "test.brake", "", stopped, now=NOON), failpoint=STEP
        )
        with pytest.raises(ApprovalRests, match=r"brake test\.brake is pulled"):
            ask()
        # Neither a new grant nor a release ends the rest: what was stopped must have been done.
        grant(database, evidence={"decision": "d2"})
        let_go = database.write_now(
            lambda c: stops.release(c, "test.brake", now=LATER), failpoint=STEP
        )
        assert [(one.subject, one.record_id) for one in let_go] == [("s1", "m1")]
        with pytest.raises(ApprovalRests):
            ask()
        database.write_now(lambda c: stops.end(c, "test.brake", "", ["s1"]), failpoint=STEP)
        ask()


@pytest.mark.parametrize("check", [lock, permit])
class TestEveryCheck:
    def test_passes_under_the_epoch_of_the_grant(self, database: Database, check: Any) -> None:
        grant(database)
        database.write_now(lambda c: check(c, "m1", epoch=1, now=NOON), failpoint=STEP)

    def test_refuses_another_exchange_object_than_the_approvals(
        self, database: Database, check: Any
    ) -> None:
        grant(database)
        with pytest.raises(ApprovalWithdrawn, match="Exchange object o2"):
            database.write_now(
                lambda c: check(c, "m1", object_id="o2", epoch=1, now=NOON), failpoint=STEP
            )

    def test_refuses_another_epoch_a_withdrawal_and_the_unknown(
        self, database: Database, check: Any
    ) -> None:
        with pytest.raises(ApprovalWithdrawn, match="never approved"):
            database.write_now(lambda c: check(c, "m1", epoch=1, now=NOON), failpoint=STEP)
        grant(database)
        with pytest.raises(ApprovalWithdrawn, match="epoch 2"):
            database.write_now(lambda c: check(c, "m1", epoch=2, now=NOON), failpoint=STEP)
        withdraw(database)
        for epoch in (1, 2):
            with pytest.raises(ApprovalWithdrawn) as caught:
                database.write_now(
                    lambda c, e=epoch: check(c, "m1", epoch=e, now=NOON), failpoint=STEP
                )
            assert caught.value.context["reason"] == "left"


def commit_page(connection: Connection, number: int) -> None:
    lock(connection, "m1", epoch=1, now=NOON)
    connection.execute(insert(connection, pages).values(number=number))


def test_no_page_is_committed_after_a_withdrawal_of_another_process(
    open_database: Any,
) -> None:
    syncing, guarding = open_database(), open_database()
    grant(guarding)
    go, refused = threading.Event(), threading.Event()

    def sync() -> None:
        # The withdrawal waits for a gap between two pages, and may have to for long.
        until = time.monotonic() + 20
        for number in itertools.takewhile(lambda _: time.monotonic() < until, itertools.count()):
            try:
                syncing.write_now(lambda c, n=number: commit_page(c, n), failpoint=STEP)
            except ApprovalWithdrawn:
                refused.set()
                return
            if number == 5:
                go.set()

    thread = threading.Thread(target=sync)
    thread.start()
    assert go.wait(20)
    assert withdraw(guarding) == 2
    count = select(func.count()).select_from(pages)
    at_withdrawal = guarding.read_now(lambda c: c.scalar(count))
    thread.join(30)
    assert refused.is_set()
    assert guarding.read_now(lambda c: c.scalar(count)) == at_withdrawal


def test_two_processes_that_grant_at_once_agree_on_the_epoch(open_database: Any) -> None:
    one, other = open_database(), open_database()
    together = threading.Barrier(2)
    epochs: list[int] = []

    def fn(database: Database, record_id: str) -> None:
        together.wait()
        epochs.append(grant(database, record_id=record_id))

    for round_number in range(10):
        threads = [
            threading.Thread(target=fn, args=(database, f"r{round_number}"))
            for database in (one, other)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert epochs == [1] * 20
