"""The database keeps group commit, savepoints and durability on both kinds."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest
from sqlalchemy import Column, Connection, Integer, Table, func, select, text
from sqlalchemy.exc import IntegrityError

import kernel.database
from kernel.database import Database, insert
from kernel.errors import Conflict, SettingInvalid, Unavailable
from kernel.failpoints import Crash, CrashAt, Recorder, failpoint
from kernel.tables import metadata
from kernel.writer import scratch

STEP = failpoint("tests.number", "A number of the storage tests.")
numbers = Table("test_numbers", metadata, Column("number", Integer, primary_key=True))


def add(number: int) -> Callable[[Connection], int]:
    def fn(connection: Connection) -> int:
        connection.execute(insert(connection, numbers).values(number=number))
        return number

    return fn


def refuse(connection: Connection) -> None:
    connection.execute(insert(connection, numbers).values(number=999))
    raise Conflict("not this one")


def count(connection: Connection) -> int:
    return connection.scalar(select(func.count()).select_from(numbers)) or 0


async def test_what_was_written_is_read(database: Database) -> None:
    assert await database.write(add(1), failpoint=STEP) == 1
    assert await database.read(count) == 1


async def test_writers_that_wait_together_are_all_committed(database: Database) -> None:
    values = await asyncio.gather(*(database.write(add(n), failpoint=STEP) for n in range(200)))
    assert values == list(range(200))
    assert await database.read(count) == 200


async def test_one_that_raises_takes_only_itself_back(database: Database) -> None:
    outcomes = await asyncio.gather(
        *(database.write(add(n), failpoint=STEP) for n in range(20)),
        database.write(refuse, failpoint=STEP),
        *(database.write(add(n), failpoint=STEP) for n in range(20, 40)),
        return_exceptions=True,
    )
    assert [o for o in outcomes if isinstance(o, BaseException)] == [outcomes[20]]
    assert isinstance(outcomes[20], Conflict)
    assert await database.read(count) == 40


async def test_a_single_writer_that_raises_leaves_nothing(database: Database) -> None:
    with pytest.raises(Conflict):
        await database.write(refuse, failpoint=STEP)
    assert await database.read(count) == 0
    assert await database.write(add(3), failpoint=STEP) == 3


async def test_scratch_survives_commits_and_not_a_roll_back(database: Database) -> None:
    def remember(connection: Connection) -> None:
        scratch(connection)["head"] = "kept"

    def recall(connection: Connection) -> object:
        return scratch(connection).get("head")

    await database.write(remember, failpoint=STEP)
    assert await database.write(recall, failpoint=STEP) == "kept"
    with pytest.raises(Conflict):
        await database.write(refuse, failpoint=STEP)
    assert await database.write(recall, failpoint=STEP) is None


async def test_a_crash_before_the_commit_leaves_nothing(
    open_database: Callable[..., Database],
) -> None:
    dying = open_database(CrashAt(f"{STEP}:before-commit"))
    with pytest.raises(Crash):
        await dying.write(add(1), failpoint=STEP)
    assert await open_database().read(count) == 0


async def test_a_crash_after_the_commit_leaves_all_of_it(
    open_database: Callable[..., Database],
) -> None:
    dying = open_database(CrashAt(f"{STEP}:after-commit"))
    with pytest.raises(Crash):
        await dying.write(add(1), failpoint=STEP)
    assert await open_database().read(count) == 1


async def test_both_points_of_a_step_are_reached(open_database: Callable[..., Database]) -> None:
    trace = Recorder()
    await open_database(trace).write(add(1), failpoint=STEP)
    assert trace.reached == [f"{STEP}:before-commit", f"{STEP}:after-commit"]


async def test_a_write_without_a_registered_step_is_refused(database: Database) -> None:
    with pytest.raises(KeyError, match="no failpoint is named"):
        await database.write(add(1), failpoint="nobody.knows")


async def test_a_write_that_misses_its_deadline_never_happens(database: Database) -> None:
    started, go_on = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def block(connection: Connection) -> None:
        loop.call_soon_threadsafe(started.set)
        asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result()

    blocking = asyncio.create_task(database.write(block, failpoint=STEP))
    await started.wait()
    with pytest.raises(Unavailable, match="did not write within"):
        await database.write(add(1), failpoint=STEP, deadline_seconds=0.05)
    go_on.set()
    await blocking
    assert await database.read(count) == 0


async def test_a_write_that_has_begun_and_hangs_is_not_waited_for_without_end(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernel.database, "NEAR_SECONDS", 0.05)
    goes_on = threading.Event()

    def hang(connection: Connection) -> None:
        goes_on.wait(10)
        add(1)(connection)

    with pytest.raises(Unavailable, match=r"within 0\.1 seconds.* may be there or not"):
        await database.write(hang, failpoint=STEP, deadline_seconds=0.05)
    goes_on.set()
    # The next one shows that the first is through.
    await database.write(add(2), failpoint=STEP)
    assert await database.read(count) == 2


async def test_a_reading_that_hangs_is_not_waited_for_without_end(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernel.database, "SILENCE_SECONDS", 0.05)
    goes_on = threading.Event()
    with pytest.raises(Unavailable, match="did not answer within"):
        await database.read(lambda c: goes_on.wait(10))
    goes_on.set()
    monkeypatch.undo()
    assert await database.read(count) == 0


async def test_an_error_repeats_no_value_of_its_statement(database: Database) -> None:
    await database.write(add(4711), failpoint=STEP)
    with pytest.raises(IntegrityError) as written:
        await database.write(
            lambda c: c.execute(numbers.insert(), {"number": 4711}), failpoint=STEP
        )
    with pytest.raises(Unavailable) as read:
        await database.read(lambda c: c.execute(text("SELECT :number FROM nowhere"), {"number": 1}))
    for error in (written.value, read.value.__cause__):
        assert "[SQL: " in str(error)
        assert "[parameters: " not in str(error)


async def test_a_closed_database_says_so(database: Database) -> None:
    database.close()
    with pytest.raises(Unavailable, match="closed"):
        await database.write(add(1), failpoint=STEP)


@pytest.mark.parametrize("url", ["nonsense", "mysql://x/y", "sqlite://", "sqlite:///:memory:"])
def test_a_database_that_is_not_served_is_refused_by_name(url: str) -> None:
    with pytest.raises(SettingInvalid, match="MAILBOX_GUARD_DATABASE_URL"):
        Database(url)


def test_sqlite_is_opened_for_durability(tmp_path: object) -> None:
    database = Database(f"sqlite:///{tmp_path}/x.db")
    database.open()
    assert database.read_now(lambda c: c.exec_driver_sql("PRAGMA synchronous").scalar()) == 2
    assert database.read_now(lambda c: c.exec_driver_sql("PRAGMA journal_mode").scalar()) == "wal"
    database.close()
