"""What an approver released is written once, whatever happened between."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from guard.errors import HoldTaken
from guard.holds import approve, refuse
from guard.ledger import holds
from guard.obligations.apply import Apply
from guard.obligations.grant import GRANTED
from guard.ports.rows import RowChanged
from kernel.clock import FrozenClock
from kernel.database import Database
from kernel.principal import Principal, Proof
from rules.load.loader import load_documents
from rules.model.decision import Outcome
from tests.guard.assembled import AGuard
from tests.guard.builders import MAILBOX_ID
from tests.guard.holds.asked import (
    CEO,
    DOCUMENTS,
    FORBIDDEN,
    VIP_ADDRESS,
    ask,
    guarded,
    holds_of,
)
from tests.guard.obligations.decided import committed

OWED_BY = replace(committed(Outcome.HOLD, emailaddress="vip@contoso.com"), releases="a hold")
REJECTING = {
    **DOCUMENTS,
    "policies/forbidden.yaml": FORBIDDEN.replace("notEquals: none", "equals: none"),
}
ACCOUNT = Principal("root", Proof.ACCOUNT)


async def released(guard: AGuard) -> str:
    """Return a hold that is released, and not carried out yet."""
    hold_id = str((await ask(guard, VIP_ADDRESS)).body["hold_id"])
    await approve(guard.parts.means, hold_id, CEO, reason="It is right.")
    return hold_id


def state_of(guard: AGuard) -> str:
    (hold,) = holds_of(guard)
    return str(hold["state"])


def test_it_is_owed_where_a_hold_is_released_alone() -> None:
    assert Apply.owed_by(replace(OWED_BY, releases=None)) is None


def test_it_is_not_owed_for_an_approval() -> None:
    approval = committed(Outcome.HOLD, emailrouteraccessapproval=1)
    assert Apply.owed_by(replace(approval, releases="a hold")) is None


async def test_twice_it_is_written_and_recorded_once(
    database: Database, clock: FrozenClock
) -> None:
    guard = guarded(database, clock)
    hold_id = await released(guard)
    await guard.carry_out()
    database_says = guard.database.read_now(lambda c: holds.find(c, hold_id))
    assert database_says is not None
    await guard.carry_out()
    assert len(guard.receiver.rows.written) == 1
    assert len([one for one in guard.decisions() if one["decision"] == "allow"]) == 1
    assert state_of(guard) == "applied"


async def test_a_service_that_is_down_is_waited_for(database: Database, clock: FrozenClock) -> None:
    guard = guarded(database, clock)
    await released(guard)
    guard.receiver.rows.is_down = True
    await guard.carry_out()
    assert state_of(guard) == "approved"
    guard.receiver.rows.is_down = False
    clock.advance(10)
    await guard.carry_out()
    assert state_of(guard) == "applied"


async def test_nothing_is_written_over_what_was_changed_since(
    database: Database, clock: FrozenClock
) -> None:
    guard = guarded(database, clock)
    await released(guard)
    guard.receiver.rows.put("mailbox", MAILBOX_ID, emailaddress="other@contoso.com")
    await guard.carry_out()
    assert guard.receiver.rows.written == []
    assert state_of(guard) == "superseded"


async def test_a_rejection_that_has_become_true_wins(
    database: Database, clock: FrozenClock
) -> None:
    guard = guarded(database, clock)
    await released(guard)
    guard.receiver.policies.swap(load_documents(REJECTING))
    await guard.carry_out()
    assert guard.receiver.rows.written == []
    assert state_of(guard) == "refused"
    assert guard.is_whole()


async def test_after_its_hour_nothing_is_written(database: Database, clock: FrozenClock) -> None:
    guard = guarded(database, clock)
    await released(guard)
    clock.advance(3601)
    await guard.carry_out()
    assert guard.receiver.rows.written == []
    assert state_of(guard) == "expired"


async def test_what_was_refused_after_its_release_is_not_written(
    database: Database, clock: FrozenClock
) -> None:
    guard = guarded(database, clock)
    hold_id = await released(guard)
    await refuse(database, clock, hold_id, ACCOUNT, reason="On second thought.")
    await guard.carry_out()
    assert guard.receiver.rows.written == []
    assert state_of(guard) == "refused"
    assert guard.is_whole()


async def test_what_was_refused_while_it_was_written_is_taken_back(
    database: Database, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    guard = guarded(database, clock)
    hold_id = await released(guard)
    rows = guard.receiver.rows
    write = rows.update

    async def refused_first(*args: Any, **named: Any) -> None:
        monkeypatch.setattr(rows, "update", write)
        await refuse(database, clock, hold_id, ACCOUNT, reason="Stop.")
        await write(*args, **named)

    monkeypatch.setattr(rows, "update", refused_first)
    await guard.carry_out()
    await guard.carry_out()
    row = await rows.row("mailbox", MAILBOX_ID)
    assert row is not None
    assert row.columns["emailaddress"] == "anna@contoso.com"
    assert state_of(guard) == "refused"


async def test_a_row_that_changes_meanwhile_is_read_again(
    database: Database, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    guard = guarded(database, clock)
    await released(guard)
    rows = guard.receiver.rows
    write = rows.update

    async def changed(*args: Any, **named: Any) -> None:
        monkeypatch.setattr(rows, "update", write)
        raise RowChanged("The row has changed.")

    monkeypatch.setattr(rows, "update", changed)
    await guard.carry_out()
    assert len(rows.written) == 1
    assert state_of(guard) == "applied"


async def test_a_release_that_no_act_states_writes_nothing(
    database: Database, clock: FrozenClock
) -> None:
    guard = guarded(database, clock)
    hold_id = await released(guard)
    table = holds.holds
    database.write_now(
        lambda c: c.execute(table.update().values(answered_by="somebody else")), failpoint=GRANTED
    )
    await guard.carry_out()
    assert guard.receiver.rows.written == []
    assert not guard.is_whole()
    with pytest.raises(HoldTaken):
        database.write_now(
            lambda c: holds.require_approved(c, f"{hold_id}x", now=clock.now()), failpoint=GRANTED
        )
