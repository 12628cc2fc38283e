"""A crash at any failpoint of a pass, then a new process: it ends as an undisturbed pass does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kernel.clock import FrozenClock
from kernel.database import Database
from kernel.failpoints import NONE, Crash, CrashAt, Failpoints, Recorder
from kernel.shards import LEASE_SECONDS
from sync.run.once import once
from sync.store.tables import links
from tests.sync.builders import ANNA_OBJECT, World, a_message

ATTACHMENT = {
    "@odata.type": "#microsoft.graph.fileAttachment",
    "id": "att-1",
    "name": "order.txt",
    "contentType": "text/plain",
    "size": 5,
    "_bytes": b"order",
}


def fill(world: World) -> None:
    world.approve_anna()
    for number in range(3):
        world.exchange.deliver(ANNA_OBJECT, a_message(number))
    world.exchange.deliver(ANNA_OBJECT, a_message(3, hasAttachments=True), attachments=[ATTACHMENT])
    world.emails.refused_subjects.add("Order 2")


def end_state(world: World) -> tuple[Any, ...]:
    rows = world.database.read_now(
        lambda c: c.execute(
            links.select()
            .with_only_columns(links.c.item_id, links.c.state, links.c.place, links.c.row_id)
            .order_by(links.c.item_id)
        ).all()
    )
    return [tuple(row) for row in rows], world.emails.rows, world.emails.attached


async def run(world: World, failpoints: Failpoints) -> bool:
    world.emails.failpoints = failpoints
    try:
        await once(world.sync)
    except Crash:
        return True
    finally:
        world.emails.failpoints = NONE
    return False


def open_new(path: Path, failpoints: Failpoints = NONE) -> Database:
    database = Database(f"sqlite:///{path}", failpoints=failpoints)
    database.create_tables()
    database.open()
    return database


@pytest.mark.slow
async def test_every_step_may_be_the_last(tmp_path: Path, clock: FrozenClock) -> None:
    trace = Recorder()
    undisturbed = World(open_new(tmp_path / "undisturbed.db", trace), clock, page_size=2)
    fill(undisturbed)
    trace.reached.clear()
    await run(undisturbed, trace)
    expected = end_state(undisturbed)
    undisturbed.database.close()
    places = [
        (point, trace.reached[: at + 1].count(point)) for at, point in enumerate(trace.reached)
    ]
    assert len(places) > 30
    assert len(expected[1]) == 3
    for number, (point, occurrence) in enumerate(places):
        path = tmp_path / f"crash-{number}.db"
        world = World(open_new(path), clock, page_size=2)
        fill(world)
        world.database.close()
        failpoints = CrashAt(point, occurrence=occurrence)
        world.database = open_new(path, failpoints)
        world.sync = world.another_process()
        assert await run(world, failpoints), point
        world.database.close()
        clock.advance(LEASE_SECONDS + 1)

        world.database = open_new(path)
        await once(world.another_process())

        assert end_state(world) == expected, (point, occurrence)
        world.database.close()
