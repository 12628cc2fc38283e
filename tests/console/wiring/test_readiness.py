"""What was made sure of at the start is looked at again while a process runs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, text
from structlog.testing import capture_logs

from console import schema
from console.wiring import readiness as room
from console.wiring.readiness import Readiness
from guard.watch.reconcile import REFUSED_BRAKE
from kernel import stops
from kernel.clock import FrozenClock
from kernel.database import Database
from kernel.errors import Unavailable
from kernel.failpoints import Recorder, failpoint
from kernel.pulse import PULSE
from kernel.stops import Stopped
from kernel.tables import schema_number
from tests.conftest import NOON

STEP = failpoint("tests.schema", "A schema number of the tests of readiness.")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(f"sqlite:///{tmp_path / 'guard.db'}")
    opened.open()
    schema.prepare(opened)
    yield opened
    opened.close()


def renumber(database: Database, number: int) -> None:
    def fn(connection: Connection) -> None:
        connection.execute(schema_number.update().values(number=number))

    database.write_now(fn, failpoint=STEP)


async def test_another_schema_stands_in_the_way_until_it_is_ours_again(database: Database) -> None:
    readiness = Readiness(database, FrozenClock(NOON))
    assert await readiness.look_at_schema() is None
    assert readiness.is_ready()
    renumber(database, schema.NUMBER + 1)
    with capture_logs() as told:
        assert await readiness.look_at_schema() is None
        assert await readiness.look_at_schema() is None
    assert [one["event"] for one in told] == ["schema_outdated"]
    assert readiness.problem is not None
    assert f"needs {schema.NUMBER}" in readiness.problem
    renumber(database, schema.NUMBER)
    await readiness.look_at_schema()
    assert readiness.is_ready()


async def test_a_schema_that_cannot_be_read_is_told_and_stands_in_nobodys_way(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "_LOOK_SECONDS", 0.02)
    readiness, goes_on = Readiness(database, FrozenClock(NOON)), threading.Event()
    monkeypatch.setattr(schema, "read_number", lambda connection: goes_on.wait(10) and 0)
    assert await readiness.look_at_schema() == "The database does not answer."
    goes_on.set()
    assert readiness.is_ready()


async def test_every_obstacle_stands_in_the_way(database: Database) -> None:
    readiness = Readiness(database, FrozenClock(NOON))
    for name in ("ending", "other_schema", "other_organization"):
        setattr(readiness, name, f"It is the {name}.")
        assert readiness.problem == f"It is the {name}."
        setattr(readiness, name, None)
    assert readiness.is_ready()


def pulses(trace: Recorder) -> int:
    return sum(one.startswith(PULSE) for one in trace.reached) // 2


async def test_who_asks_has_a_write_tried_but_not_again_and_again(database: Database) -> None:
    trace, clock = Recorder(), FrozenClock(NOON)
    database._writer._failpoints = trace
    readiness = Readiness(database, clock)
    for _ in range(5):
        assert (await readiness.look()).problem is None
    assert pulses(trace) == 1
    clock.advance(room.PULSE_SECONDS)
    await readiness.look()
    assert pulses(trace) == 2


async def test_after_a_write_that_failed_each_question_tries_again(database: Database) -> None:
    readiness = Readiness(database, FrozenClock(NOON))
    assert (await readiness.look()).problem is None
    database._writer.failure = Unavailable("The database cannot be written: full.")
    trace = Recorder()
    database._writer._failpoints = trace
    assert (await readiness.look()).problem is None
    assert pulses(trace) == 1
    assert database.write_failure is None


async def test_a_pulled_brake_degrades_and_names_the_word_that_lets_it_go_on(
    database: Database,
) -> None:
    readiness = Readiness(database, FrozenClock(NOON))
    stopped = [Stopped(f"row-{number}", "", "It changed.") for number in range(22)]
    database.write_now(
        lambda c: stops.add(c, REFUSED_BRAKE.name, "mailbox", stopped, now=NOON),
        failpoint=stops.STOPPED,
    )
    standing = await readiness.look()
    assert (standing.problem, standing.status) == (None, room.Status.DEGRADED)
    assert [(one["brake"], one["stopped"]) for one in standing.brakes] == [("guard.refused", 22)]
    assert "brakes release guard.refused" in " ".join(standing.degraded)


async def test_a_trigger_at_our_tables_stands_in_the_way_until_it_is_gone(
    database: Database,
) -> None:
    readiness = Readiness(database, FrozenClock(NOON))
    run = "BEGIN SELECT RAISE(IGNORE); END"
    for statement in (
        f"CREATE TRIGGER quiet BEFORE INSERT ON kernel_acts {run}",
        "CREATE TABLE audit_of_ours (at INTEGER)",
        f"CREATE TRIGGER theirs BEFORE INSERT ON audit_of_ours {run}",
    ):
        database.write_now(lambda c, s=statement: c.execute(text(s)), failpoint=STEP)
    with capture_logs() as told:
        await readiness.look_at_schema()
    assert [one["event"] for one in told] == ["schema_altered"]
    assert "trigger `quiet` at `kernel_acts`" in str(readiness.problem)
    with pytest.raises(schema.SchemaAltered):
        schema.prepare(database)
    database.write_now(lambda c: c.execute(text("DROP TRIGGER quiet")), failpoint=STEP)
    await readiness.look_at_schema()
    assert readiness.is_ready()
    schema.prepare(database)
