"""`holds` shows what waits, and takes the word of whoever decides."""

from __future__ import annotations

import asyncio
import json

from guard.holds import list_holds
from guard.ledger.parked import HoldState
from kernel.clock import SystemClock
from kernel.database import Database
from tests.console.conftest import Run
from tests.guard.builders import MAILBOX_ID
from tests.guard.holds.asked import VIP_ADDRESS, ask, guarded


async def parked(database: Database) -> str:
    guard = guarded(database, SystemClock())  # type: ignore[arg-type]
    return str((await ask(guard, VIP_ADDRESS)).body["hold_id"])


def test_what_waits_is_listed_and_shown(run: Run, guard_database: Database) -> None:
    assert run("holds", "list").out == "No such hold.\n"
    hold_id = asyncio.run(parked(guard_database))
    (listed,) = json.loads(run("holds", "list", "--output", "json").out)
    assert (listed["id"], listed["state"], listed["record_id"]) == (hold_id, "open", MAILBOX_ID)
    assert "vip/address" in run("holds", "list").out
    shown = run("holds", "show", hold_id[:24])
    assert shown.code == 0, shown.err
    for text in (
        "state: open",
        "emailaddress: anna@contoso.com -> vip@contoso.com",
        '"vip@contoso.com needs a second person."',
        "new.addressOwner.count: 0",
        "may release vip/address: any approver",
    ):
        assert text in shown.out
    whole = json.loads(run("holds", "show", hold_id, "--output", "json").out)
    assert whole["evidence"]["new.owner.objectId"] == whole["requester"]["object_id"]
    assert [one["id"] for one in whole["history"]] == [whole["decision_id"]]


def test_the_account_may_refuse_and_its_name_is_recorded(
    run: Run, guard_database: Database
) -> None:
    hold_id = asyncio.run(parked(guard_database))
    refused = run("holds", "refuse", hold_id, "--reason", "Nobody knows of it.", "--by", "Ada")
    assert refused.code == 0, refused.err
    assert "answered_by: Ada" in refused.out
    now = SystemClock().now()
    (hold,) = guard_database.read_now(lambda c: list_holds(c, now=now, states=(HoldState.REFUSED,)))
    assert hold["reason"] == "Nobody knows of it."
    assert run("holds", "list").out == "No such hold.\n"
    again = run("holds", "refuse", hold_id, "--reason", "Again.", "--by", "Ada")
    assert again.code == 1
    assert "has ended" in again.err
    assert run("decisions", "verify").code == 0


def test_nobody_releases_who_cannot_sign_in(run: Run, guard_database: Database) -> None:
    done = run("holds", "approve", "01a2", "--reason", "Yes.")
    assert done.code == 2
    assert "Nobody can sign in" in done.err


def test_a_hold_that_is_not_there_is_told(run: Run, guard_database: Database) -> None:
    done = run("holds", "show", "01a20000")
    assert done.code == 1
    assert "No hold has the id" in done.err
