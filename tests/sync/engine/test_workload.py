"""The engine with a workload that it was not written for: notes of two notebooks, beside mail."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from cloud.errors import Refused
from kernel import tasks
from kernel.clock import FrozenClock
from kernel.database import Database
from kernel.failpoints import NONE, Crash, CrashAt, Failpoints, Recorder
from kernel.shards import LEASE_SECONDS
from sync.engine.workload import Page, Permit
from sync.model.link import ItemPlace, Link, LinkState
from sync.model.stream import Stream
from sync.operate.mailboxes import list_mailboxes, pause
from sync.run.loop import Loop
from sync.run.once import once
from sync.store import access, links, quarantine, streams
from tests.sync.builders import (
    ANNA_OBJECT,
    ANNA_RECORD,
    OPERATOR,
    PROFILE,
    World,
    a_mailbox_row,
    a_message,
)
from tests.sync.notes import Notebooks, NotesWorkload


@pytest.fixture
def notebooks(world: World) -> Notebooks:
    return with_notes(world)


def with_notes(world: World, notes: type[NotesWorkload] = NotesWorkload) -> Notebooks:
    """Let the world's sync know notes as well: the one line that a workload needs."""
    notebooks = Notebooks()
    world.others = [notes(notebooks)]
    world.sync = world.another_process()
    return notebooks


def note_link(world: World, note_id: str) -> Link:
    found = world.database.read_now(lambda c: links.find(c, ANNA_OBJECT, note_id))
    assert found is not None
    return found


async def test_its_items_become_rows_beside_those_of_mail(
    world: World, notebooks: Notebooks
) -> None:
    world.approve_anna()
    world.exchange.deliver(ANNA_OBJECT, a_message())
    for number in range(5):
        notebooks.write(ANNA_OBJECT, "red", f"note-{number}", f"Text {number}")
    notebooks.write(ANNA_OBJECT, "blue", "note-9", "Text 9")

    report = await once(world.sync)

    assert report.is_clean, report.problems
    assert sorted(notebooks.rows.values()) == [*(f"Text {n}" for n in range(5)), "Text 9"]
    assert world.subjects() == ["Order 1"]
    assert report.counts["created"] == report.counts["listed"] == 7
    assert report.counts["mailboxes"] == 1
    stored = world.database.read_now(streams.list_all)
    assert [(one.workload, one.folder) for one in stored] == [
        ("mail", "inbox"),
        ("notes", "blue"),
        ("notes", "red"),
    ]


async def test_a_second_pass_lists_nothing_and_writes_nothing(
    open_database: Callable[..., Database], clock: FrozenClock
) -> None:
    trace = Recorder()
    world = World(open_database(trace), clock)
    notebooks = with_notes(world)
    world.approve_anna()
    notebooks.write(ANNA_OBJECT, "red", "note-1", "Text")
    await once(world.sync)
    loop = Loop(world.sync)
    await loop.beat()
    trace.reached.clear()

    for _ in range(10):
        clock.advance(11)
        await loop.tick()
        await loop.idle()

    assert {one for one in trace.reached if not one.startswith("runner.")} == set()
    assert notebooks.requests[ANNA_OBJECT] > 4


async def test_kinds_tables_and_accesses_carry_its_name(world: World, notebooks: Notebooks) -> None:
    world.approve_anna()
    notebooks.write(ANNA_OBJECT, "red", "note-1", "Text")
    await once(world.sync)
    notebooks.tear_out(ANNA_OBJECT, "note-1")

    await once(world.sync)

    kinds = world.database.read_now(
        lambda c: list(c.scalars(select(tasks.tasks.c.kind).order_by(tasks.tasks.c.id)))
    )
    assert kinds == ["sync.notes.create", "sync.notes.verify"]
    logged = world.database.read_now(lambda c: access.list_for(c, ANNA_RECORD))
    assert {(one.workload, one.operation) for one in logged} == {("notes", "notes delta")}


async def test_a_removal_is_verified_and_a_move_between_its_folders_is_none(
    world: World, notebooks: Notebooks
) -> None:
    world.approve_anna()
    for note_id in ("stays", "moves", "goes"):
        notebooks.write(ANNA_OBJECT, "red", note_id, f"It {note_id}.")
    notebooks.write(ANNA_OBJECT, "blue", "other", "Another.")
    await once(world.sync)
    notebooks.write(ANNA_OBJECT, "blue", "moves", "It moves.")
    notebooks.tear_out(ANNA_OBJECT, "goes")

    report = await once(world.sync)

    assert report.counts["removed"] == 1
    assert note_link(world, "goes").place is ItemPlace.GONE
    assert note_link(world, "moves").place is ItemPlace.HERE
    assert len(notebooks.rows) == 4
    blue = next(one for one in world.database.read_now(streams.list_all) if one.folder == "blue")
    assert world.database.read_now(lambda c: links.count_here(c, blue)) == 2


async def test_a_lost_cursor_begins_a_full_round_of_its_stream_alone(
    world: World, notebooks: Notebooks
) -> None:
    world.approve_anna()
    world.exchange.deliver(ANNA_OBJECT, a_message())
    for number in range(3):
        notebooks.write(ANNA_OBJECT, "red", f"note-{number}", f"Text {number}")
    await once(world.sync)
    notebooks.generation += 1
    notebooks.changes[ANNA_OBJECT, "red"].remove("note-1")
    del notebooks.notes[ANNA_OBJECT, "note-1"]

    report = await once(world.sync)

    assert report.is_clean
    assert report.counts["created"] == 0
    assert note_link(world, "note-1").place is ItemPlace.GONE
    rounds = {one.workload: one.round for one in world.database.read_now(streams.list_all)}
    assert rounds == {"mail": 1, "notes": 2}


async def test_what_is_refused_is_set_aside_and_tried_again(
    world: World, notebooks: Notebooks
) -> None:
    world.approve_anna()
    notebooks.write(ANNA_OBJECT, "red", "note-1", "Unwanted")
    notebooks.refused.add("Unwanted")

    report = await once(world.sync)

    [problem] = report.problems
    assert (problem.kind, problem.reason) == ("quarantined", "Nobody wants this note.")
    [kept] = world.database.read_now(lambda c: quarantine.list_for(c, [ANNA_RECORD]))
    assert (kept.workload, note_link(world, "note-1").state) == ("notes", LinkState.SET_ASIDE)

    notebooks.refused.clear()
    assert (await once(world.sync)).is_clean
    assert list(notebooks.rows.values()) == ["Unwanted"]


async def test_its_own_delivery_method_says_whose_it_is(world: World, notebooks: Notebooks) -> None:
    world.approve_anna()
    world.exchange.deliver(ANNA_OBJECT, a_message())
    notebooks.write(ANNA_OBJECT, "red", "note-1", "Text")
    # 1 is server-side synchronization here, and nothing of the sort in the columns of mail.
    world.mailbox_rows.put(a_mailbox_row(act_delivery=1, profile_id=PROFILE))
    world.mailbox_rows.profiles.add(PROFILE)

    report = await once(world.sync)

    assert report.is_clean
    assert notebooks.requests[ANNA_OBJECT] == 0
    assert world.subjects() == ["Order 1"]

    world.mailbox_rows.put(a_mailbox_row(incoming_delivery=2, profile_id=PROFILE))
    world.exchange.deliver(ANNA_OBJECT, a_message(2))
    await once(world.sync)

    assert list(notebooks.rows.values()) == ["Text"]
    assert world.subjects() == ["Order 1"]


async def test_what_is_wrong_with_it_stops_no_other_workload(world: World) -> None:
    class Refusing(NotesWorkload):
        async def page(self, stream: Stream, *, permit: Permit, **_: Any) -> Page:
            await permit()
            raise Refused("No access to notes.", status=403)

    with_notes(world, Refusing)
    world.exchange.deliver(ANNA_OBJECT, a_message())
    world.approve_anna()

    report = await once(world.sync)

    assert world.subjects() == ["Order 1"]
    assert [one.reason for one in report.problems] == ["access-refused: No access to notes."]
    [shown] = world.database.read_now(lambda c: list_mailboxes(c, now=world.clock.now()))
    assert shown["state"] == "failing"


async def test_a_paused_mailbox_rests_in_every_workload(world: World, notebooks: Notebooks) -> None:
    world.approve_anna()
    notebooks.write(ANNA_OBJECT, "red", "note-1", "Text")
    await pause(world.database, world.clock, ANNA_RECORD, by=OPERATOR, reason="holiday")

    await once(world.sync)

    assert notebooks.requests[ANNA_OBJECT] == world.exchange.requests[ANNA_OBJECT] == 0


@pytest.mark.slow
async def test_a_crash_at_any_step_ends_where_an_undisturbed_pass_ends(
    tmp_path: Path, clock: FrozenClock
) -> None:
    trace = Recorder()
    undisturbed = crashing_world(tmp_path / "undisturbed.db", clock, trace)
    assert not await pass_of(undisturbed, trace)
    expected = end_state(undisturbed)
    undisturbed.database.close()
    assert len(expected[1]) == 3
    points = [
        (point, trace.reached[: at + 1].count(point)) for at, point in enumerate(trace.reached)
    ]
    assert {"sync.page:after-commit", "tests.notes.row:after-send"} <= {one for one, _ in points}
    for number, (point, occurrence) in enumerate(points):
        path = tmp_path / f"{number}.db"
        failpoints = CrashAt(point, occurrence=occurrence)
        world = crashing_world(path, clock, failpoints)
        assert await pass_of(world, failpoints), point
        world.database.close()
        clock.advance(LEASE_SECONDS + 1)

        world.database = opened(path)
        await once(world.another_process())

        assert end_state(world) == expected, (point, occurrence)
        world.database.close()


def opened(path: Path, failpoints: Failpoints = NONE) -> Database:
    database = Database(f"sqlite:///{path}", failpoints=failpoints)
    database.create_tables()
    database.open()
    return database


def crashing_world(path: Path, clock: FrozenClock, failpoints: Failpoints) -> World:
    """Return a world with one mail and two notes; only from here on may it crash."""
    world = World(opened(path), clock)
    world.approve_anna()
    world.database.close()
    world.database = opened(path, failpoints)
    notebooks = with_notes(world)
    notebooks.failpoints = failpoints
    for number in range(3):
        notebooks.write(ANNA_OBJECT, "red", f"note-{number}", f"Text {number}")
    if isinstance(failpoints, Recorder):
        failpoints.reached.clear()
    return world


async def pass_of(world: World, failpoints: Failpoints) -> bool:
    """Do a full pass; return whether the process died in it."""
    notes = notes_of(world)
    try:
        await once(world.sync)
    except Crash:
        return True
    finally:
        notes.failpoints = NONE
    return False


def notes_of(world: World) -> Notebooks:
    [workload] = world.others
    assert isinstance(workload, NotesWorkload)
    return workload._notebooks


def end_state(world: World) -> tuple[Any, ...]:
    rows = world.database.read_now(
        lambda c: c.execute(
            select(*(getattr(links.links.c, n) for n in ("item_id", "state", "row_id", "workload")))
        ).all()
    )
    return sorted(map(tuple, rows)), notes_of(world).rows
