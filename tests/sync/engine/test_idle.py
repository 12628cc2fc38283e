"""An idle cycle writes nothing about any mailbox, stream, link or access (law 10)."""

from __future__ import annotations

from collections.abc import Callable

from kernel.clock import FrozenClock
from kernel.database import Database
from kernel.failpoints import Recorder
from sync.failpoints import PAGE
from sync.run.loop import Loop
from sync.run.once import once
from sync.store import streams
from tests.sync.builders import ANNA_OBJECT, World, a_message


def written(trace: Recorder) -> set[str]:
    return {point.partition(":")[0] for point in trace.reached if not point.startswith("shards.")}


async def test_an_idle_loop_writes_nothing(
    open_database: Callable[..., Database], clock: FrozenClock
) -> None:
    trace = Recorder()
    world = World(open_database(trace), clock)
    world.approve_anna()
    world.exchange.deliver(ANNA_OBJECT, a_message())
    world.exchange.deliver(ANNA_OBJECT, a_message(2))
    world.emails.refused_subjects.add("Order 2")
    loop = Loop(world.sync)
    await loop.beat()
    await loop.tick()
    await loop.idle()
    assert world.subjects() == ["Order 1"]
    requests = world.exchange.requests[ANNA_OBJECT]
    trace.reached.clear()

    for _ in range(30):
        clock.advance(10)
        await loop.tick()
        await loop.idle()
        await loop.carry_out_leftovers()

    assert world.exchange.requests[ANNA_OBJECT] > requests + 5
    assert written(trace) == set()


async def test_an_idle_single_pass_writes_nothing_but_its_leases(
    open_database: Callable[..., Database], clock: FrozenClock
) -> None:
    trace = Recorder()
    world = World(open_database(trace), clock)
    world.approve_anna()
    world.exchange.deliver(ANNA_OBJECT, a_message())
    await once(world.sync)
    trace.reached.clear()

    await once(world.another_process())

    assert written(trace) == {"sync.take-over"}


async def test_freshness_is_written_in_one_batch_and_the_cursor_after_a_quarter_of_an_hour(
    open_database: Callable[..., Database], clock: FrozenClock
) -> None:
    trace = Recorder()
    world = World(open_database(trace), clock)
    world.approve_anna()
    world.approve_ben()
    world.exchange.deliver(ANNA_OBJECT, a_message())
    await once(world.sync)
    clock.advance(120)
    trace.reached.clear()

    await once(world.sync)

    assert written(trace) == {"sync.take-over", "sync.freshness"}
    stored = world.database.read_now(streams.list_all)
    assert {one.fresh_as_of for one in stored} == {clock.now()}

    clock.advance(900)
    await once(world.sync)
    assert PAGE in written(trace)
