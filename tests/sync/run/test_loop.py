"""The loop visits what is due, answers requests for a pass, and loses nothing to a newcomer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from cloud.errors import Refused, Throttled, Unreachable
from kernel import shards
from kernel.clock import FrozenClock, SystemClock
from kernel.database import Database
from kernel.periodic import AsyncioRunner
from kernel.shards import SHARDS
from sync.engine.holder import LOOP, is_surely_dead, new_holder
from sync.engine.workload import Page
from sync.errors import PassUnanswered
from sync.mail.item import text_from_moment
from sync.operate.mailboxes import withdraw
from sync.run.loop import Loop
from sync.run.once import once
from tests.sync.builders import (
    ANNA_OBJECT,
    ANNA_RECORD,
    BEN_OBJECT,
    TEST,
    World,
    a_message,
    next_at,
)


async def turn(loop: Loop) -> None:
    await loop.tick()
    await loop.idle()


async def started(world: World) -> Loop:
    loop = Loop(world.sync)
    await loop.beat()
    await turn(loop)
    return loop


async def test_a_mail_that_arrives_later_follows(world: World) -> None:
    world.approve_anna()
    loop = await started(world)
    world.exchange.deliver(ANNA_OBJECT, a_message())

    await turn(loop)
    assert world.emails.rows == {}

    world.clock.advance(11)
    await turn(loop)
    assert world.subjects() == ["Order 1"]


async def test_a_mailbox_approved_while_it_runs_is_taken_up_at_once(world: World) -> None:
    loop = await started(world)
    world.exchange.deliver(ANNA_OBJECT, a_message())
    world.approve_anna()

    await turn(loop)

    assert world.subjects() == ["Order 1"]


async def test_a_mailbox_approved_while_dataverse_is_being_read_is_taken_up_at_once(
    world: World,
) -> None:
    world.exchange.deliver(BEN_OBJECT, a_message())
    mailboxes = world.mailbox_rows.mailboxes

    class ApprovedMeanwhile:
        def __getattr__(self, name: str) -> Any:
            return getattr(world.mailbox_rows, name)

        async def mailboxes(self) -> Any:
            world.approve_ben()
            return await mailboxes()

    world.approve_anna()
    other = World(world.database, world.clock)
    other.exchange, other.emails = world.exchange, world.emails
    other.mailbox_rows = ApprovedMeanwhile()  # type: ignore[assignment]
    loop = Loop(other.another_process())
    await loop.beat()

    await turn(loop)
    assert world.emails.rows == {}

    await turn(loop)
    assert world.subjects() == ["Order 1"]


async def test_a_withdrawn_mailbox_is_left_alone_at_once(world: World) -> None:
    world.approve_anna()
    loop = await started(world)
    requests = world.exchange.requests[ANNA_OBJECT]
    await withdraw(world.database, world.clock, ANNA_RECORD, by="Ben", reason="test")

    for _ in range(5):
        world.clock.advance(60)
        await turn(loop)

    assert world.exchange.requests[ANNA_OBJECT] == requests


async def test_a_throttled_mailbox_is_left_alone_until_then_and_the_others_go_on(
    world: World,
) -> None:
    world.approve_anna()
    world.approve_ben()
    until = world.clock.now() + timedelta(seconds=600)
    world.exchange.fail_next(ANNA_OBJECT, Throttled("Slow down.", until=until))
    loop = await started(world)

    while world.clock.now() < until:
        assert world.exchange.requests[ANNA_OBJECT] == 1
        await turn(loop)
        world.clock.advance(30)
    await turn(loop)

    assert world.exchange.requests[ANNA_OBJECT] == 2
    assert world.exchange.requests[BEN_OBJECT] > 5


async def test_a_wait_that_was_asked_for_is_shown_whatever_was_noted_before_it(
    world: World,
) -> None:
    world.approve_anna()
    loop = await started(world)
    world.clock.advance(11)
    until = world.clock.now() + timedelta(seconds=600)
    world.exchange.fail_next(ANNA_OBJECT, Throttled("Slow down.", until=until))

    await turn(loop)
    assert next_at(world) == text_from_moment(until)

    await world.sync.freshness.flush()
    assert next_at(world) == text_from_moment(until)


async def test_a_mailbox_that_fails_again_is_shown_with_its_next_visit(world: World) -> None:
    world.approve_anna()
    refusal = Refused("No access.", status=403)
    world.exchange.fail_next(ANNA_OBJECT, refusal, refusal)
    loop = await started(world)
    assert next_at(world) == text_from_moment(world.clock.now() + timedelta(seconds=30))

    world.clock.advance(31)
    await turn(loop)
    await world.sync.freshness.flush()

    assert next_at(world) == text_from_moment(world.clock.now() + timedelta(seconds=60))


async def test_a_mailbox_that_is_well_again_is_not_shown_with_the_wait_of_before(
    world: World,
) -> None:
    world.approve_anna()
    refusal = Refused("No access.", status=403)
    world.exchange.fail_next(ANNA_OBJECT, refusal)
    await started(world)

    await once(world.another_process())

    assert next_at(world) == text_from_moment(world.clock.now() + timedelta(seconds=10))


async def refused(world: World) -> Loop:
    world.approve_anna()
    world.exchange.deliver(ANNA_OBJECT, a_message(1, changeKey="1"))
    world.emails.refused_subjects.add("Order 1")
    loop = await started(world)
    assert world.emails.requests["create_email"] == 1
    return loop


async def test_a_mail_that_was_refused_is_tried_again_ever_more_slowly_until_it_comes(
    world: World,
) -> None:
    loop = await refused(world)

    tried = []
    for minutes in range(1, 120):
        before = world.emails.requests["create_email"]
        world.clock.advance(60)
        await turn(loop)
        await loop.carry_out_leftovers()
        if world.emails.requests["create_email"] > before:
            tried.append(minutes)
    assert tried == [15, 45, 105]

    world.emails.refused_subjects.clear()
    world.clock.advance(7200)
    await turn(loop)
    await loop.carry_out_leftovers()
    assert world.subjects() == ["Order 1"]


async def test_a_mail_that_was_refused_is_tried_at_once_when_it_changed_and_only_then(
    world: World,
) -> None:
    loop = await refused(world)
    world.emails.refused_subjects.clear()

    world.exchange.touch(ANNA_OBJECT, a_message(1)["id"])
    world.clock.advance(11)
    await turn(loop)
    assert world.emails.rows == {}

    world.exchange.deliver(ANNA_OBJECT, a_message(1, changeKey="2"))
    world.clock.advance(11)
    await turn(loop)
    assert world.subjects() == ["Order 1"]


async def test_when_dataverse_is_silent_too_long_no_mailbox_is_reached(world: World) -> None:
    world.approve_anna()
    loop = await started(world)
    away = [Unreachable("Down.", until=world.clock.now()) for _ in range(500)]
    world.mailbox_rows.fail_next("mailboxes", *away)

    for _ in range(30):
        world.clock.advance(60)
        await turn(loop)
        if world.sync.review.age_seconds > 900:
            break
    requests = world.exchange.requests[ANNA_OBJECT]
    for _ in range(10):
        world.clock.advance(60)
        await turn(loop)

    assert requests > 0
    assert world.exchange.requests[ANNA_OBJECT] == requests


async def test_a_single_pass_beside_a_loop_is_done_by_the_loop(world: World) -> None:
    world.approve_anna()
    loop = await started(world)
    world.exchange.deliver(ANNA_OBJECT, a_message())
    visitor = world.another_process()

    async def keep_ticking() -> None:
        while True:
            await turn(loop)
            await asyncio.sleep(0)

    ticking = asyncio.create_task(keep_ticking())
    report = await once(visitor)
    ticking.cancel()

    assert world.subjects() == ["Order 1"]
    assert report.counts["created"] == report.counts["mailboxes"] == 1
    assert report.counts["listed"] == 1
    assert len(world.sync.leases.shards) == SHARDS
    assert visitor.leases.shards == []


async def test_a_pass_that_the_loop_could_not_do_is_told_to_who_asked_for_it(world: World) -> None:
    world.approve_anna()
    loop = await started(world)
    away = Unreachable("Dataverse is away.", until=world.clock.now())
    world.mailbox_rows.fail_next("mailboxes", *([away] * 100))

    async def keep_ticking() -> None:
        while True:
            await turn(loop)
            await asyncio.sleep(0)

    ticking = asyncio.create_task(keep_ticking())
    report = await once(world.another_process())
    ticking.cancel()

    assert [(one.kind, one.reason) for one in report.problems] == [
        ("unresolved", "Dataverse is away.")
    ]


async def test_a_holder_that_died_while_it_was_asked_is_replaced(world: World) -> None:
    world.approve_anna()
    await started(world)  # Never ticks again; its lease runs out.
    world.exchange.deliver(ANNA_OBJECT, a_message())

    report = await once(world.another_process())

    assert world.subjects() == ["Order 1"]
    assert report.counts["created"] == 1


async def test_a_holder_that_lives_but_never_answers_is_reported(world: World) -> None:
    world.approve_anna()
    loop = await started(world)

    async def keep_beating() -> None:
        while True:
            await loop.beat()
            await asyncio.sleep(0)

    beating = asyncio.create_task(keep_beating())
    with pytest.raises(PassUnanswered):
        await once(world.another_process(), wait_seconds=60)
    beating.cancel()


async def test_a_holder_on_this_machine_that_is_surely_dead_is_not_waited_for(
    world: World,
) -> None:
    world.approve_anna()
    machine, _, rest = world.sync.leases.holder.partition("/")
    dead = f"{machine}/{2**22 + 7}/{rest.partition('/')[2]}"
    world.database.write_now(
        lambda c: shards.claim_shards(c, holder=dead, now=world.clock.now()), failpoint=TEST
    )
    before = world.clock.now()

    await once(world.sync)

    assert world.clock.now() == before


async def test_a_dead_holder_is_told_from_a_living_one_and_from_what_cannot_be_known(
    world: World,
) -> None:
    machine, _, rest = world.sync.leases.holder.partition("/")
    dead = f"{machine}/{2**22 + 7}/{rest.partition('/')[2]}"

    assert is_surely_dead(dead)
    assert not is_surely_dead(world.sync.leases.holder)
    assert not is_surely_dead(f"another-machine/{rest}")
    assert not is_surely_dead("a name of another kind")
    assert new_holder(LOOP) != new_holder(LOOP)


async def test_it_runs_by_itself_until_it_is_stopped(
    open_database: Callable[..., Database], clock: FrozenClock
) -> None:
    world = World(open_database(), clock)
    world.clock = SystemClock()  # type: ignore[assignment]
    world.sync = world.another_process()
    world.approve_anna()
    world.exchange.deliver(ANNA_OBJECT, a_message())
    loop, running = Loop(world.sync), AsyncioRunner(world.clock)
    loop.start(running)
    for _ in range(200):
        if world.emails.rows:
            break
        await asyncio.sleep(0.05)
    await running.stop()
    await loop.stop()

    assert world.subjects() == ["Order 1"]
    assert world.database.read_now(lambda c: shards.holders(c, now=world.clock.now())) == []


async def test_a_short_silence_of_dataverse_stops_nothing(world: World) -> None:
    world.approve_anna()
    loop = await started(world)
    world.clock.advance(400)
    world.mailbox_rows.fail_next("mailboxes", *(Unreachable("Down.", until=world.clock.now()),) * 3)
    world.exchange.deliver(ANNA_OBJECT, a_message())

    await turn(loop)

    assert world.subjects() == ["Order 1"]


async def test_a_back_fill_longer_than_a_reading_may_be_used_goes_on(world: World) -> None:
    world.approve_anna()
    for number in range(40):
        world.exchange.deliver(ANNA_OBJECT, a_message(number))
    original = world.exchange.page

    async def slow(*args: Any, **options: Any) -> Page:
        world.clock.advance(400)
        return await original(*args, **options)

    world.exchange.page = slow  # type: ignore[method-assign]

    report = await once(world.sync)

    assert report.is_clean
    assert len(world.emails.rows) == 40
    assert world.mailbox_rows.requests["mailboxes"] == 4
