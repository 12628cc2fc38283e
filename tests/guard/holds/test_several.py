"""Several guards over one database: a hold is released, a pass used, a write made once."""

from __future__ import annotations

import asyncio

from guard.errors import HoldEnded, HoldTaken
from guard.holds import approve
from guard.ledger.replay import find_past
from guard.obligations.grant import GRANTED
from kernel import approvals
from kernel.clock import FrozenClock
from kernel.database import Database
from rules.replay.simulate import Simulation, decide_again
from tests.guard.assembled import AGuard
from tests.guard.builders import ADMIN_ID, MAILBOX_ID, OBJECT_ID, USER_ID, body
from tests.guard.holds.asked import (
    ADMIN,
    APPROVAL,
    CEO,
    VIP_ADDRESS,
    ask,
    guarded,
    holds_of,
    release,
)


def two(database: Database, clock: FrozenClock) -> tuple[AGuard, AGuard]:
    """Return two guards of one organisation, each with a chain of its own."""
    first, second = guarded(database, clock), guarded(database, clock)
    second.receiver.rows.__dict__.update(first.receiver.rows.__dict__)
    return first, second


async def test_two_guards_release_a_hold_once_and_write_once(
    database: Database, clock: FrozenClock
) -> None:
    first, second = two(database, clock)
    hold_id = (await ask(first, VIP_ADDRESS)).body["hold_id"]
    assert (await ask(second, VIP_ADDRESS)).body["hold_id"] == hold_id
    done = await asyncio.gather(
        approve(first.parts.means, hold_id, CEO, reason="Yes."),
        approve(second.parts.means, hold_id, ADMIN, reason="Yes."),
        return_exceptions=True,
    )
    assert len([one for one in done if isinstance(one, HoldTaken | HoldEnded)]) == 1
    await asyncio.gather(first.carry_out(), second.carry_out())
    assert len(first.receiver.rows.written) == 1
    assert holds_of(first)[0]["state"] == "applied"
    assert first.is_whole()


async def test_a_pass_is_used_once_whichever_guard_is_asked(
    database: Database, clock: FrozenClock
) -> None:
    first, second = two(database, clock)
    await release(first, (await ask(first, APPROVAL, actor=ADMIN_ID)).body["hold_id"])
    answers = await asyncio.gather(
        *(
            one.receiver.post(body(APPROVAL, actor=ADMIN_ID))
            for one in (first, second, first, second)
        )
    )
    assert sorted(one.status for one in answers) == [200, 403, 403, 403]
    assert first.is_whole()


async def test_what_rested_on_the_old_values_ends_before_the_new_ones_are_written(
    database: Database, clock: FrozenClock
) -> None:
    guard = guarded(database, clock)
    hold_id = (await ask(guard, VIP_ADDRESS)).body["hold_id"]

    database.write_now(
        lambda c: approvals.grant(
            c,
            record_id=MAILBOX_ID,
            address="anna@contoso.com",
            object_id=OBJECT_ID,
            owner_id=USER_ID,
            owner_type="user",
            evidence={},
            now=clock.now(),
        ),
        failpoint=GRANTED,
    )
    await approve(guard.parts.means, hold_id, CEO, reason="Yes.")
    write, seen = guard.receiver.rows.update, list[bool]()

    async def looked(*args: object, **named: object) -> None:
        held = guard.approval()
        seen.append(held is not None and held.is_approved(clock.now()))
        await write(*args, **named)  # type: ignore[arg-type]

    guard.receiver.rows.update = looked  # type: ignore[method-assign,assignment]
    await guard.carry_out()
    assert seen == [False]


async def test_what_a_pass_let_through_is_replayed_alike(
    database: Database, clock: FrozenClock
) -> None:
    guard = guarded(database, clock)
    await release(guard, (await ask(guard, APPROVAL, actor=ADMIN_ID)).body["hold_id"])
    through = await guard.deliver(APPROVAL, actor=ADMIN_ID)
    past = database.read_now(lambda c: find_past(c, through.body["decision_id"]))
    current = guard.receiver.policies.current
    again = decide_again(past, current)
    assert again.outcome == "allow"
    assert [(one.id, one.result) for one in again.findings] == [("vip/approval", "released")]
    simulation = Simulation(current)
    simulation.take(past)
    assert (simulation.tally.replayed, simulation.tally.differing) == (1, 0)
