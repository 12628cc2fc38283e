"""What a person withdrew comes back only by an approval that is newer than that (law 17)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from guard.obligations.grant import GRANTED
from kernel import approvals
from kernel.approvals import Renewal, WithdrawalCause
from kernel.clock import FrozenClock
from kernel.database import Database
from tests.guard.assembled import SYSTEM_ID, AGuard, a_guard
from tests.guard.builders import (
    ADMIN_ID,
    GUARD_ID,
    MAILBOX_BEFORE,
    MAILBOX_ID,
    USER_ID,
    body,
    choice,
)

APPROVE = {"emailrouteraccessapproval": choice(1)}
APPROVED_BEFORE = MAILBOX_BEFORE | APPROVE


@pytest.fixture
async def guard(database: Database, clock: FrozenClock) -> AGuard:
    """A mailbox that was approved; the clock goes on a minute."""
    guard = a_guard(database, clock)
    touched(guard, emailrouteraccessapproval=1)
    await guard.deliver(APPROVE, mode=1, actor=ADMIN_ID)
    assert is_approved(guard)
    clock.advance(60)
    return guard


def touched(
    guard: AGuard, *, by: str = ADMIN_ID, behalf: str | None = None, **columns: Any
) -> None:
    """Let somebody write the mailbox row now."""
    now = guard.receiver.clock.now()
    guard.receiver.rows.put(
        "mailbox", MAILBOX_ID, modified_at=now, modified_by=by, on_behalf_by=behalf, **columns
    )


def withdrawn(guard: AGuard) -> None:
    """Let Ben withdraw the mailbox; a minute passes before and after."""
    guard.receiver.clock.advance(60)
    guard.database.write_now(
        lambda c: approvals.withdraw_by_person(
            c, record_id=MAILBOX_ID, by="Ben", reason="CHG-1", now=guard.receiver.clock.now()
        ),
        failpoint=GRANTED,
    )
    guard.receiver.clock.advance(60)


def is_approved(guard: AGuard) -> bool:
    held = guard.approval()
    assert held is not None
    if held.state == "withdrawn":
        assert (held.cause, held.withdrawn_by, held.reason) == ("person", "Ben", "CHG-1")
    return held.state == "approved"


def granted(guard: AGuard) -> str:
    """Return what became of the newest grant."""
    (grant,) = [one for one in guard.decisions()[0]["obligations"] if one["kind"] == "grant"]
    return str(grant["result"])


async def test_a_forged_delivery_with_the_key_alone_brings_nothing_back(guard: AGuard) -> None:
    withdrawn(guard)
    await guard.deliver(APPROVE, mode=0, actor=ADMIN_ID)
    await guard.deliver(APPROVE, mode=1, actor=ADMIN_ID)
    assert not is_approved(guard)
    assert "Ben withdrew the mailbox" in granted(guard)
    assert "CHG-1" in granted(guard)


async def test_a_forged_delivery_about_a_row_that_somebody_else_touched_brings_nothing_back(
    guard: AGuard,
) -> None:
    withdrawn(guard)
    touched(guard, by=USER_ID)
    await guard.deliver(APPROVE, mode=1, actor=ADMIN_ID)
    assert not is_approved(guard)


@pytest.mark.parametrize("actor", [ADMIN_ID, USER_ID])
async def test_a_toggled_state_brings_nothing_back(guard: AGuard, actor: str) -> None:
    withdrawn(guard)
    for before, after in ((0, 1), (1, 0)):
        touched(guard, by=actor, statecode=after)
        await guard.deliver(
            {"statecode": choice(after)},
            mode=1,
            actor=actor,
            before=APPROVED_BEFORE | {"statecode": choice(before)},
        )
    assert not is_approved(guard)


async def test_a_scan_leaves_it_and_names_it(guard: AGuard) -> None:
    withdrawn(guard)
    touched(guard)
    applied = await guard.scanner.apply(await guard.scanner.scan())
    assert (applied.granted, applied.withdrawn, applied.kept) == ([], [], [])
    assert "Ben withdrew the mailbox" in applied.left[MAILBOX_ID]
    assert not is_approved(guard)


async def test_a_withdrawal_during_a_scan_stands(guard: AGuard) -> None:
    end(guard, WithdrawalCause.EVIDENCE)
    scanned = await guard.scanner.scan()
    original = guard.receiver.directory.holders_of

    async def meanwhile(address: str) -> Any:
        withdrawn(guard)
        return await original(address)

    guard.receiver.directory.holders_of = meanwhile  # type: ignore[method-assign]
    applied = await guard.scanner.apply(scanned)
    assert "Ben withdrew the mailbox" in applied.left[MAILBOX_ID]
    assert not is_approved(guard)


def end(guard: AGuard, cause: WithdrawalCause) -> None:
    now = guard.receiver.clock.now()
    guard.database.write_now(
        lambda c: approvals.withdraw(
            c, record_id=MAILBOX_ID, cause=cause, reason="A test.", now=now
        ),
        failpoint=GRANTED,
    )


async def test_a_grant_queued_before_the_withdrawal_is_none_after_it(guard: AGuard) -> None:
    await guard.receiver.post(
        body(
            {"emailrouteraccessapproval": choice(3)}, mode=1, actor=ADMIN_ID, before=APPROVED_BEFORE
        )
    )
    await guard.receiver.post(body(APPROVE, mode=1, actor=ADMIN_ID))
    withdrawn(guard)
    touched(guard)
    await guard.carry_out()
    assert not is_approved(guard)


@pytest.mark.parametrize("cause", list(WithdrawalCause))
async def test_what_was_not_approved_any_more_can_be_withdrawn_by_a_person_all_the_same(
    guard: AGuard, cause: WithdrawalCause
) -> None:
    if cause is not WithdrawalCause.PERSON:
        end(guard, cause)
    withdrawn(guard)
    applied = await guard.scanner.apply(await guard.scanner.scan())
    assert applied.granted == []
    assert not is_approved(guard)


async def test_a_newer_approval_by_a_qualified_person_ends_it(guard: AGuard) -> None:
    withdrawn(guard)
    await approved_anew(guard)
    assert is_approved(guard)
    held = guard.approval()
    assert held is not None
    assert (held.evidence["approved_by"], held.withdrawn_by, held.cause) == (ADMIN_ID, None, None)


async def approved_anew(
    guard: AGuard, *, actor: str = ADMIN_ID, by: str | None = None, behalf: str | None = None
) -> None:
    clock = guard.receiver.clock
    touched(guard, emailrouteraccessapproval=3)
    await guard.deliver(
        {"emailrouteraccessapproval": choice(3)}, mode=1, actor=ADMIN_ID, before=APPROVED_BEFORE
    )
    clock.advance(1)
    touched(guard, by=by or actor, behalf=behalf, emailrouteraccessapproval=1)
    before = MAILBOX_BEFORE | {"emailrouteraccessapproval": choice(3)}
    await guard.deliver(APPROVE, mode=1, actor=actor, before=before)


@pytest.mark.parametrize("ahead", [-180, 180])
async def test_another_clock_of_dataverse_makes_no_approval_newer_or_older(
    guard: AGuard, ahead: int
) -> None:
    guard.receiver.rows.clock = dataverse = FrozenClock(
        guard.receiver.clock.now() + timedelta(seconds=ahead)
    )

    def written() -> None:
        guard.receiver.rows.put(
            "mailbox", MAILBOX_ID, modified_at=dataverse.now(), modified_by=ADMIN_ID,
            emailrouteraccessapproval=1,
        )  # fmt: skip

    # Approved, then withdrawn, then told of again by whoever has the key.
    written()
    withdrawn(guard)
    dataverse.advance(120)
    await guard.deliver(APPROVE, mode=1, actor=ADMIN_ID)
    assert not is_approved(guard)
    # Approved anew.
    written()
    dataverse.advance(5)
    guard.receiver.clock.advance(5)
    before = MAILBOX_BEFORE | {"emailrouteraccessapproval": choice(3)}
    await guard.deliver(APPROVE, mode=1, actor=ADMIN_ID, before=before)
    assert is_approved(guard)


async def test_a_newer_approval_by_an_unqualified_person_does_not(guard: AGuard) -> None:
    withdrawn(guard)
    await approved_anew(guard, actor=USER_ID)
    assert not is_approved(guard)


async def test_an_approval_that_another_made_than_the_delivery_says_does_not(
    guard: AGuard,
) -> None:
    withdrawn(guard)
    await approved_anew(guard, by=USER_ID)
    assert not is_approved(guard)


async def test_an_approval_on_behalf_of_a_qualified_person_does_not(guard: AGuard) -> None:
    withdrawn(guard)
    await approved_anew(guard, behalf=USER_ID)
    assert not is_approved(guard)


@pytest.mark.parametrize("actor", [SYSTEM_ID, GUARD_ID])
async def test_an_approval_by_no_person_does_not(guard: AGuard, actor: str) -> None:
    withdrawn(guard)
    await guard.deliver({"testemailconfigurationscheduled": True}, actor=ADMIN_ID)
    await approved_anew(guard, actor=actor)
    assert not is_approved(guard)


async def test_the_newer_word_of_a_person_stands_again(guard: AGuard) -> None:
    withdrawn(guard)
    await approved_anew(guard)
    assert is_approved(guard)
    withdrawn(guard)
    await guard.deliver(APPROVE, mode=1, actor=ADMIN_ID)
    assert not is_approved(guard)


def test_a_renewal_as_old_as_the_withdrawal_is_none(database: Database, clock: FrozenClock) -> None:
    given: dict[str, Any] = {
        "record_id": "m1",
        "address": "anna@contoso.com",
        "object_id": "o1",
        "owner_id": "u1",
        "owner_type": "user",
        "evidence": {},
    }
    now = clock.now()

    def grant(at: Any = None, renewal: Renewal | None = None) -> int:
        return database.write_now(
            lambda c: approvals.grant(c, **given, now=at or now, renewal=renewal),
            failpoint=GRANTED,
        )

    grant()
    database.write_now(
        lambda c: approvals.withdraw_by_person(c, record_id="m1", by="Ben", reason="x", now=now),
        failpoint=GRANTED,
    )
    for renewal in (None, Renewal("a", now), Renewal("a", now - timedelta(days=1))):
        with pytest.raises(approvals.WithdrawalStands, match="Ben withdrew"):
            grant(now + timedelta(days=1), renewal)
    assert grant(renewal=Renewal("a", now + timedelta(microseconds=1))) == 3


async def test_a_scan_keeps_the_evidence_of_what_is_approved_and_counts_only_what_it_changed(
    guard: AGuard,
) -> None:
    before = guard.approval()
    applied = await guard.scanner.apply(await guard.scanner.scan())
    assert (applied.granted, applied.kept, applied.left) == ([], [MAILBOX_ID], {})
    assert guard.approval() == before
    assert before is not None
    assert before.evidence["approved_by"] == ADMIN_ID
