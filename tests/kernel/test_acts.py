"""Acts form one chain, and a row of an approval counts only while it equals its newest act."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import text

from kernel import acts, approvals
from kernel.acts import ActKind
from kernel.approvals import WithdrawalCause
from kernel.clock import FrozenClock
from kernel.database import Database
from kernel.errors import ApprovalWithdrawn
from kernel.failpoints import failpoint
from kernel.principal import Principal, Proof

STEP = failpoint("tests.act", "An act of the storage tests.")
GIVEN: dict[str, Any] = {
    "record_id": "m1",
    "address": "anna@contoso.com",
    "object_id": "o1",
    "owner_id": "u1",
    "owner_type": "user",
    "evidence": {"approved_by": "a1"},
}
# Everything in the row that an attacker could turn to something else.
ALTERATIONS = {
    "record_id": "'m2'",
    "address": "'ceo@contoso.com'",
    "object_id": "'the chief'",
    "owner_id": "'u2'",
    "owner_type": "'queue'",
    "evidence": "'{}'",
    "cause": "'person'",
    "epoch": "epoch + 1",
    "reason": "'x'",
    "withdrawn_by": "'x'",
    "changed_at": "changed_at + 1",
    "until": "9000000000000000",
}


@pytest.fixture
def granted(database: Database, clock: FrozenClock) -> Database:
    grant(database, clock)
    return database


def grant(database: Database, clock: FrozenClock, **changes: Any) -> int:
    return database.write_now(
        lambda c: approvals.grant(c, **{**GIVEN, **changes}, now=clock.now()), failpoint=STEP
    )


def alter(database: Database, statement: str) -> None:
    database.write_now(lambda c: c.execute(text(statement)), failpoint=STEP)


def is_permitted(
    database: Database, clock: FrozenClock, *, epoch: int = 1, object_id: str = "o1"
) -> bool:
    permitted = []
    permit = partial(approvals.permit, evidence_max_age=timedelta(hours=1))
    for check in (permit, approvals.lock):
        try:
            database.write_now(
                lambda c, check=check: check(
                    c, "m1", object_id=object_id, epoch=epoch, now=clock.now()
                ),
                failpoint=STEP,
            )
        except ApprovalWithdrawn:
            permitted.append(False)
        else:
            permitted.append(True)
    assert permitted[0] == permitted[1]
    return permitted[0]


def test_every_column_that_is_recorded_is_altered_by_these_tests() -> None:
    recorded = {one.name for one in approvals.approvals.c} - {"looked_up_at"}
    assert {*ALTERATIONS, "state"} == recorded


@pytest.mark.parametrize("column", ALTERATIONS)
def test_an_altered_row_opens_nothing(granted: Database, clock: FrozenClock, column: str) -> None:
    assert is_permitted(granted, clock)
    alter(granted, f"UPDATE kernel_approvals SET {column} = {ALTERATIONS[column]}")
    for epoch in (1, 2):
        assert not is_permitted(granted, clock, epoch=epoch)
    assert granted.read_now(lambda c: approvals.list_approved(c, now=clock.now())) == []


def test_a_row_put_in_by_hand_opens_nothing(granted: Database, clock: FrozenClock) -> None:
    alter(granted, "DELETE FROM kernel_acts")
    assert not is_permitted(granted, clock)


def test_a_withdrawal_undone_in_the_row_opens_nothing(
    granted: Database, clock: FrozenClock
) -> None:
    alter(granted, "CREATE TABLE kept AS SELECT * FROM kernel_approvals")
    granted.write_now(
        lambda c: approvals.withdraw(
            c, record_id="m1", cause=WithdrawalCause.CHANGE, reason="x", now=clock.now()
        ),
        failpoint=STEP,
    )
    alter(granted, "DELETE FROM kernel_approvals")
    alter(granted, "INSERT INTO kernel_approvals SELECT * FROM kept")
    assert not is_permitted(granted, clock)


@pytest.mark.parametrize(
    "alteration",
    [
        "DELETE FROM kernel_approvals",
        "UPDATE kernel_approvals SET cause = 'change', withdrawn_by = NULL",
        "UPDATE kernel_approvals SET state = 'approved', cause = NULL",
    ],
)
def test_the_ledger_says_what_a_person_withdrew_whatever_became_of_the_row(
    granted: Database, clock: FrozenClock, alteration: str
) -> None:
    granted.write_now(
        lambda c: approvals.withdraw_by_person(
            c, record_id="m1", by="Ben", reason="x", now=clock.now()
        ),
        failpoint=STEP,
    )
    alter(granted, alteration)
    clock.advance(60)
    with pytest.raises(approvals.WithdrawalStands, match="Ben"):
        grant(granted, clock)


def test_an_altered_act_grants_nothing_any_more(granted: Database, clock: FrozenClock) -> None:
    alter(granted, "UPDATE kernel_acts SET private = replace(private, 'o1', 'the chief')")
    assert not is_permitted(granted, clock)
    with pytest.raises(approvals.RecordAltered, match="Act 1"):
        grant(granted, clock)


def test_what_changes_nothing_is_no_act(granted: Database, clock: FrozenClock) -> None:
    clock.advance(60)
    grant(granted, clock)
    assert granted.read_now(acts.end_of).count == 1
    grant(granted, clock, evidence={"approved_by": "a2"})
    assert granted.read_now(acts.end_of).count == 2


def test_a_refusal_of_what_never_was_approved_is_one_withdrawal(
    database: Database, clock: FrozenClock
) -> None:
    refused = {name: GIVEN[name] for name in ("record_id", "address", "owner_id", "owner_type")}
    database.write_now(
        lambda c: approvals.refuse(
            c, **refused, cause=WithdrawalCause.SCAN, reason="x", now=clock.now()
        ),
        failpoint=STEP,
    )
    (act,) = database.read_now(lambda c: list(acts.walk(c)))
    assert (act.kind, act.subject) == (ActKind.WITHDRAWAL, "m1")


def test_a_newer_refusal_gives_the_newer_reason_and_keeps_what_is_counted(
    granted: Database, clock: FrozenClock
) -> None:
    refused = {name: GIVEN[name] for name in ("record_id", "address", "owner_id", "owner_type")}

    def refuse(cause: WithdrawalCause, reason: str) -> approvals.Approval | None:
        granted.write_now(
            lambda c: approvals.refuse(c, **refused, cause=cause, reason=reason, now=clock.now()),
            failpoint=STEP,
        )
        return granted.read_now(lambda c: approvals.find(c, "m1"))

    first, later = refuse(WithdrawalCause.EVIDENCE, "moved"), None
    for _ in range(2):
        clock.advance(60)
        later = refuse(WithdrawalCause.READ_BACK, "two hold it")
    assert first is not None
    assert later is not None
    assert (later.reason, later.cause) == ("two hold it", WithdrawalCause.EVIDENCE)
    assert (later.epoch, later.changed_at) == (first.epoch, first.changed_at)
    # The grant, the withdrawal, the newer reason; the same one again is nothing new.
    assert granted.read_now(acts.end_of).count == 3


def test_two_processes_append_to_one_chain(
    open_database: Callable[..., Database], clock: FrozenClock
) -> None:
    def run(database: Database, name: str) -> None:
        for number in range(10):
            grant(database, clock, record_id=f"{name}{number}")

    threads = [
        threading.Thread(target=run, args=(open_database(), name)) for name in ("a", "b", "c")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    database = open_database()
    found = database.read_now(lambda c: list(acts.walk(c)))
    assert [one.number for one in found] == list(range(1, 31))
    previous = acts.BEGINNING
    for one in found:
        assert one.digest == acts.link(
            one.number, previous, one.at, one.kind, one.subject, one.commitment
        )
        previous = one.digest
    assert database.read_now(acts.end_of) == acts.End(30, previous)


# What nobody can read any more, as a row and as its act.
UNREADABLE = (
    "UPDATE kernel_approvals SET evidence = '{' WHERE record_id = 'm1'",
    "UPDATE kernel_approvals SET state = 'nonsense' WHERE record_id = 'm1'",
    "UPDATE kernel_approvals SET cause = 'nonsense' WHERE record_id = 'm1'",
    "UPDATE kernel_approvals SET changed_at = 9223372036854775807 WHERE record_id = 'm1'",
    "UPDATE kernel_approvals SET looked_up_at = 9223372036854775807 WHERE record_id = 'm1'",
    "UPDATE kernel_acts SET private = '[' WHERE subject = 'm1'",
)
NO_TEXT = (
    "UPDATE kernel_approvals SET reason = CAST(x'ff7b' AS TEXT) WHERE record_id = 'm1'",
    "UPDATE kernel_approvals SET address = x'ff' WHERE record_id = 'm1'",
    "UPDATE kernel_acts SET private = CAST(x'ff7b' AS TEXT) WHERE subject = 'm1'",
)


def check_that_only_it_is_stopped(granted: Database, clock: FrozenClock, altered: str) -> None:
    grant(granted, clock, record_id="m2")
    alter(granted, altered)

    held = granted.read_now(approvals.list_all)
    assert [(one.record_id, one.is_recorded) for one in held] == [("m1", False), ("m2", True)]
    approved = granted.read_now(lambda c: approvals.list_approved(c, now=clock.now()))
    assert [one.record_id for one in approved] == ["m2"]
    assert not is_permitted(granted, clock)


@pytest.mark.parametrize("altered", UNREADABLE)
def test_a_row_that_nobody_can_read_stops_no_other_mailbox(
    granted: Database, clock: FrozenClock, altered: str
) -> None:
    check_that_only_it_is_stopped(granted, clock, altered)


@pytest.mark.parametrize("altered", NO_TEXT)
def test_bytes_that_are_no_text_stop_no_other_mailbox(
    granted: Database, clock: FrozenClock, altered: str
) -> None:
    if granted.dialect != "sqlite":
        pytest.skip("PostgreSQL stores no such bytes as text")
    check_that_only_it_is_stopped(granted, clock, altered)


def test_a_row_that_nobody_can_read_is_withdrawn_all_the_same(
    granted: Database, clock: FrozenClock
) -> None:
    alter(granted, UNREADABLE[0])
    granted.write_now(
        lambda c: approvals.withdraw_by_person(
            c, record_id="m1", by="Ben", reason="x", now=clock.now()
        ),
        failpoint=STEP,
    )
    (held,) = granted.read_now(approvals.list_all)
    assert held.is_recorded
    assert held.is_withdrawn_by_person


def test_a_mailbox_is_found_by_the_address_that_its_act_states(
    granted: Database, clock: FrozenClock
) -> None:
    grant(granted, clock, record_id="m2", address="ben@contoso.com")
    alter(granted, "UPDATE kernel_approvals SET address = 'ben@contoso.com'")
    found = granted.read_now(lambda c: approvals.list_named(c, "ben@contoso.com"))
    assert [one.record_id for one in found] == ["m2"]


async def test_a_persons_word_names_who_said_it_and_why(
    database: Database, clock: FrozenClock
) -> None:
    olga = Principal("Olga Operator", Proof.ENTRA, object_id="o1")
    await database.write(
        lambda c: acts.append_word(
            c, ActKind.PAUSE, "m1", olga, now=clock.now(), reason="On leave."
        ),
        failpoint=STEP,
    )
    [row] = await database.read(lambda c: list(acts.walk(c)))
    assert (row.kind, row.subject) == ("pause", "m1")
    assert json.loads(row.private) == {
        "by": "Olga Operator",
        "object_id": "o1",
        "proof": "entra",
        "reason": "On leave.",
    }
