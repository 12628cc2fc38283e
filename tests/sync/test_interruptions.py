"""What comes in between while a pass is under way: a pause, a newcomer, another's hand on a row."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from cloud.errors import RequestRejected, Throttled, Unreachable, WebhookRejected
from kernel.shards import LEASE_SECONDS, shards
from sync.engine.writing import WEBHOOK_ATTEMPTS
from sync.model.link import ItemPlace, LinkState
from sync.operate.mailboxes import pause, resume
from sync.run.assembly import Assembly
from sync.run.once import once
from tests.sync.builders import (
    ANNA_OBJECT,
    ANNA_RECORD,
    OPERATOR,
    TEST,
    World,
    a_message,
    link,
    state,
)


class Interrupted:
    """A port of which one method is followed by something else, once."""

    def __init__(self, port: Any, method: str, then: Callable[[], Awaitable[None]]) -> None:
        self._port, self._method, self._then = port, method, then

    def __getattr__(self, name: str) -> Any:
        called = getattr(self._port, name)
        if name != self._method:
            return called

        async def followed(*args: Any, **options: Any) -> Any:
            answer = await called(*args, **options)
            self._method = ""
            await self._then()
            return answer

        return followed


def with_ports(world: World, **ports: Any) -> Assembly:
    other = World(world.database, world.clock)
    other.exchange = ports.get("exchange", world.exchange)
    other.emails = ports.get("emails", world.emails)
    other.mailbox_rows = world.mailbox_rows
    return other.another_process()


async def test_a_pause_in_the_middle_of_a_pass_stops_it_before_the_next_request(
    world: World,
) -> None:
    world.approve_anna()
    for number in range(25):
        world.exchange.deliver(ANNA_OBJECT, a_message(number))

    async def rest() -> None:
        await pause(world.database, world.clock, ANNA_RECORD, by=OPERATOR, reason="to be checked")

    await once(with_ports(world, exchange=Interrupted(world.exchange, "page", rest)))
    assert world.exchange.requests[ANNA_OBJECT] == 1
    assert world.emails.rows == {}

    await resume(world.database, world.clock, ANNA_RECORD, by=OPERATOR)
    report = await once(world.sync)
    assert report.is_clean
    assert len(world.emails.rows) == 25


async def test_a_shard_that_passes_to_another_holder_stops_the_pass_of_the_former_one(
    world: World,
) -> None:
    world.approve_anna()
    for number in range(25):
        world.exchange.deliver(ANNA_OBJECT, a_message(number))

    async def take_over() -> None:
        await world.database.write(
            lambda c: c.execute(update(shards).values(holder="other", fence=shards.c.fence + 1)),
            failpoint=TEST,
        )

    report = await once(with_ports(world, exchange=Interrupted(world.exchange, "page", take_over)))
    assert world.exchange.requests[ANNA_OBJECT] == 1
    assert world.emails.rows == {}
    assert "has another holder" in report.problems[0].reason

    world.clock.advance(LEASE_SECONDS + 1)
    assert (await once(world.sync)).is_clean
    assert len(world.emails.rows) == 25


async def test_a_row_that_another_process_completed_meanwhile_is_done(world: World) -> None:
    world.approve_anna()
    world.exchange.deliver(ANNA_OBJECT, a_message())

    async def lose_the_answer() -> None:
        raise RequestRejected("The email row is read-only.", status=400)

    report = await once(
        with_ports(world, emails=Interrupted(world.emails, "complete_email", lose_the_answer))
    )
    assert report.is_clean
    assert [row["statecode"] for row in world.emails.rows.values()] == [1]
    assert link(world).state is LinkState.TRACKED


async def test_a_webhook_that_always_stops_the_row_sets_the_mail_aside(world: World) -> None:
    world.approve_anna()
    world.exchange.deliver(ANNA_OBJECT, a_message())
    stop = WebhookRejected("Plug-in down.", status=400)
    world.emails.fail_next("create_email", *([stop] * 100))

    report = await once(world.sync)
    while report.problems[0].kind == "unresolved":
        world.clock.advance(600)
        report = await once(world.sync)

    assert [one.kind for one in report.problems] == ["quarantined"]
    assert link(world).state is LinkState.SET_ASIDE
    assert world.emails.requests["create_email"] == WEBHOOK_ATTEMPTS


async def test_a_removal_that_may_not_be_verified_yet_waits_as_long_as_told(world: World) -> None:
    world.approve_anna()
    world.exchange.deliver(ANNA_OBJECT, a_message())
    await once(world.sync)
    world.exchange.delete(ANNA_OBJECT, a_message()["id"])
    until = world.clock.now()

    async def throttle() -> None:
        nonlocal until
        until = world.clock.now() + timedelta(seconds=20)
        world.exchange.fail_next(ANNA_OBJECT, Throttled("Slow down.", until=until))

    report = await once(with_ports(world, exchange=Interrupted(world.exchange, "page", throttle)))

    assert world.clock.now() >= until
    assert report.counts["removed"] == 1
    assert link(world).place is ItemPlace.GONE


async def test_a_dataverse_that_is_away_leaves_every_mailbox_as_it_was(world: World) -> None:
    world.approve_anna()
    world.exchange.deliver(ANNA_OBJECT, a_message())
    await once(world.sync)
    world.clock.advance(3600)
    world.mailbox_rows.fail_next("mailboxes", Unreachable("Away.", until=world.clock.now()))
    before = world.exchange.requests[ANNA_OBJECT]

    with pytest.raises(Unreachable):
        await once(world.sync)

    assert world.exchange.requests[ANNA_OBJECT] == before
    assert state(world) == ("synced", "")
