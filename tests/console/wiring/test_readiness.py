"""What was made sure of at the start is looked at again while a process runs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection
from structlog.testing import capture_logs

from console import schema
from console.wiring import readiness as room
from console.wiring.readiness import Readiness
from kernel.database import Database
from kernel.failpoints import failpoint
from kernel.tables import schema_number

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
    readiness = Readiness(database)
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
    readiness, goes_on = Readiness(database), threading.Event()
    monkeypatch.setattr(schema, "read_number", lambda connection: goes_on.wait(10) and 0)
    assert await readiness.look_at_schema() == "The database does not answer."
    goes_on.set()
    assert readiness.is_ready()


async def test_every_obstacle_stands_in_the_way(database: Database) -> None:
    readiness = Readiness(database)
    for name in ("ending", "other_schema", "other_organization"):
        setattr(readiness, name, f"It is the {name}.")
        assert readiness.problem == f"It is the {name}."
        setattr(readiness, name, None)
    assert readiness.is_ready()
