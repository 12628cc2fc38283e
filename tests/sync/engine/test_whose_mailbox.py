"""The approval alone says whose mailbox is read, whatever rows of the sync say."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import text, update

from kernel.clock import FrozenClock
from kernel.database import Database
from kernel.tasks import TaskState, tasks
from sync.run.once import once
from sync.store import streams
from sync.store.tables import links as link_rows
from sync.store.tables import streams as stream_rows
from tests.sync.builders import ANNA_OBJECT, BEN_OBJECT, TEST, World, a_message


def a_world(open_database: Callable[..., Database], clock: FrozenClock) -> World:
    """Anna is approved, Ben is not; each has a mail."""
    world = World(open_database(), clock)
    world.approve_anna()
    world.exchange.deliver(ANNA_OBJECT, a_message(1))
    world.exchange.deliver(BEN_OBJECT, a_message(2))
    return world


async def test_a_stream_that_was_given_another_mailbox_is_read_anew_from_the_own(
    open_database: Callable[..., Database], clock: FrozenClock
) -> None:
    world = a_world(open_database, clock)
    await once(world.sync)
    altered = update(stream_rows).values(object_id=BEN_OBJECT, cursor=None, page_cursor=None)
    world.database.write_now(lambda c: c.execute(altered), failpoint=TEST)
    world.exchange.deliver(ANNA_OBJECT, a_message(3))

    await once(world.sync)

    assert BEN_OBJECT not in world.exchange.requests
    assert world.subjects() == ["Order 1", "Order 3"]
    (stream,) = world.database.read_now(streams.list_all)
    assert stream.object_id == ANNA_OBJECT


async def test_an_intent_about_an_item_of_another_mailbox_is_not_carried_out(
    open_database: Callable[..., Database], clock: FrozenClock
) -> None:
    world = a_world(open_database, clock)
    await once(world.sync)
    item_id = a_message(2)["id"]

    def forge(connection) -> None:
        connection.execute(
            update(link_rows).values(
                object_id=BEN_OBJECT, item_id=item_id, state="pending", row_id=None
            )
        )
        own = f"replace(replace(payload, '{ANNA_OBJECT}', '{BEN_OBJECT}'), '{a_message(1)['id']}'"
        connection.execute(
            text(f"UPDATE kernel_tasks SET state = 'queued', payload = {own}, '{item_id}')")
        )

    world.database.write_now(forge, failpoint=TEST)

    await once(world.sync)

    assert BEN_OBJECT not in world.exchange.requests
    assert world.subjects() == ["Order 1"]
    forged = world.database.read_now(lambda c: c.execute(tasks.select()).all())
    assert [one.state for one in forged] == [TaskState.FAILED]
