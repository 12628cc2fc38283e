"""The writer answers every caller once, in batches, and a crash takes a whole batch with it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, func, select, text

from kernel.database import Database, insert
from kernel.errors import Conflict, Unavailable
from kernel.failpoints import Crash, CrashAt, Failpoints, Recorder
from kernel.writer import MAX_BATCH, scratch
from tests.kernel.writing import STEP, UNHURRIED, Held, add, numbers, queued, refuse, rows


@pytest.fixture
def database(open_database: Callable[..., Database]) -> Database:
    return open_database(batch_seconds=UNHURRIED)


class Commits(Failpoints):
    """How many jobs each commit covered."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self._before = 0

    def reach(self, failpoint: str, moment: str) -> None:
        if moment == "before-commit":
            self._before += 1
        elif self._before:
            self.sizes.append(self._before)
            self._before = 0


class TestBatches:
    async def test_what_waits_together_is_one_transaction(
        self, open_database: Callable[..., Database]
    ) -> None:
        commits = Commits()
        database = open_database(commits, batch_seconds=UNHURRIED)
        with Held(database):
            tasks = await queued(database, *(add(n) for n in range(10)))
        assert await asyncio.gather(*tasks) == list(range(10))
        assert commits.sizes == [1, 10]

    async def test_no_transaction_takes_more_than_its_share(
        self, open_database: Callable[..., Database]
    ) -> None:
        commits = Commits()
        database = open_database(commits, batch_seconds=0.1)

        def slow(connection: Connection) -> None:
            threading.Event().wait(0.12)

        with Held(database):
            tasks = await queued(database, slow, slow, add(1), add(2))
        await asyncio.gather(*tasks)
        assert commits.sizes == [1, 1, 1, 2]

    async def test_a_batch_is_bounded(self, open_database: Callable[..., Database]) -> None:
        commits = Commits()
        database = open_database(commits, batch_seconds=UNHURRIED)
        with Held(database):
            tasks = await queued(database, *([lambda c: None] * (MAX_BATCH + 1)))
        await asyncio.gather(*tasks)
        assert commits.sizes == [1, MAX_BATCH, 1]

    async def test_those_that_raise_fail_alone_wherever_they_stand(
        self, database: Database
    ) -> None:
        with Held(database):
            tasks = await queued(
                database, add(1), add(1), add(2), refuse, refuse, add(3), add(2), add(4)
            )
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(end).__name__ for end in ends] == [
            "int", "IntegrityError", "int", "Conflict", "Conflict", "int", "IntegrityError", "int",
        ]  # fmt: skip
        assert numbers(database) == [1, 2, 3, 4]

    async def test_the_first_that_raises_takes_nobody_back(self, database: Database) -> None:
        runs = 0

        def counted(connection: Connection) -> int:
            nonlocal runs
            runs += 1
            return add(7)(connection)

        with Held(database):
            tasks = await queued(database, refuse, counted)
        await asyncio.gather(*tasks, return_exceptions=True)
        assert (runs, numbers(database)) == (1, [7])

    async def test_what_is_remembered_for_a_failed_write_is_forgotten(
        self, database: Database
    ) -> None:
        def count_up(connection: Connection) -> int:
            found = scratch(connection)
            if "head" not in found:
                found["head"] = connection.scalar(select(func.count()).select_from(rows))
            found["head"] += 1
            add(found["head"])(connection)
            head: int = found["head"]
            return head

        def count_up_andrefuse(connection: Connection) -> None:
            count_up(connection)
            raise Conflict("not this one")

        with Held(database):
            tasks = await queued(database, count_up, count_up_andrefuse, count_up, count_up)
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        assert [end for end in ends if isinstance(end, int)] == [1, 2, 3]
        assert numbers(database) == [1, 2, 3]


class TestAnswers:
    async def test_a_caller_that_is_cancelled_before_its_turn_leaves_nothing(
        self, database: Database
    ) -> None:
        with Held(database):
            given_up, kept = await queued(database, add(1), add(2))
            given_up.cancel()
            await asyncio.sleep(0)
        assert await kept == 2
        with pytest.raises(asyncio.CancelledError):
            await given_up
        assert numbers(database) == [2]

    async def test_a_caller_that_is_cancelled_too_late_harms_nobody(
        self, database: Database
    ) -> None:
        began, go = threading.Event(), threading.Event()

        def fn(connection: Connection) -> None:
            add(1)(connection)
            began.set()
            go.wait(10)

        task = asyncio.ensure_future(database.write(fn, failpoint=STEP))
        await asyncio.to_thread(began.wait, 10)
        task.cancel()
        await asyncio.sleep(0)
        go.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await database.write(add(2), failpoint=STEP) == 2
        assert numbers(database) == [1, 2]

    async def test_a_deadline_that_passes_during_the_work_is_no_deadline(
        self, database: Database
    ) -> None:
        def slow(connection: Connection) -> str:
            threading.Event().wait(0.1)
            return "done"

        assert await database.write(slow, failpoint=STEP, deadline_seconds=0.02) == "done"

    async def test_a_cancelled_caller_with_a_deadline_leaves_nothing_either(
        self, database: Database
    ) -> None:
        with Held(database):
            task = asyncio.ensure_future(
                database.write(add(1), failpoint=STEP, deadline_seconds=60)
            )
            await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        await database.write(add(2), failpoint=STEP)
        assert numbers(database) == [2]

    def test_callers_of_two_loops_and_of_none_are_all_answered(self, database: Database) -> None:
        answers: list[int] = []

        async def many(start: int) -> None:
            answers.extend(
                await asyncio.gather(
                    *(database.write(add(n), failpoint=STEP) for n in range(start, start + 50))
                )
            )

        threads = [threading.Thread(target=asyncio.run, args=(many(n),)) for n in (0, 100)]
        threads.append(
            threading.Thread(
                target=lambda: answers.extend(
                    database.write_now(add(n), failpoint=STEP) for n in range(200, 220)
                )
            )
        )
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert sorted(answers) == [*range(50), *range(100, 150), *range(200, 220)]

    async def test_a_loop_that_was_closed_meanwhile_stops_nobody(self, database: Database) -> None:
        with Held(database):
            loop = asyncio.new_event_loop()
            task = loop.create_task(database.write(add(1), failpoint=STEP))
            thread = threading.Thread(target=_run_briefly, args=(loop, task))
            thread.start()
            thread.join()
            (waiting,) = await queued(database, add(2))
        assert await waiting == 2

    def test_a_function_that_runs_out_of_items_is_answered_too(self, database: Database) -> None:
        with pytest.raises(RuntimeError, match="StopIteration"):
            database.write_now(lambda c: next(iter([])), failpoint=STEP)

    async def test_an_awaited_function_that_runs_out_of_items_is_answered_too(
        self, database: Database
    ) -> None:
        with pytest.raises(RuntimeError, match="StopIteration"):
            await database.write(lambda c: next(iter([])), failpoint=STEP)


def _run_briefly(loop: asyncio.AbstractEventLoop, task: asyncio.Task[Any]) -> None:
    """Let the task begin to wait, then close the loop under it."""
    loop.run_until_complete(asyncio.sleep(0.01))
    loop.close()


class TestOpening:
    def test_a_database_that_was_never_openedrefuses(self, tmp_path: Path) -> None:
        database = Database(f"sqlite:///{tmp_path}/x.db")
        with pytest.raises(Unavailable, match="closed"):
            database.write_now(lambda c: None, failpoint=STEP)
        database.close()

    def test_what_waits_is_written_before_it_closes(
        self, open_database: Callable[..., Database]
    ) -> None:
        database = open_database()
        answers: list[int] = []

        async def write() -> None:
            with Held(database):
                tasks = await queued(database, *(add(n) for n in range(20)))
                closing = threading.Thread(target=database.close)
                closing.start()
            answers.extend(await asyncio.gather(*tasks))
            await asyncio.to_thread(closing.join)

        asyncio.run(write())
        assert answers == list(range(20))
        assert numbers(open_database()) == list(range(20))

    def test_nobody_is_left_waiting_by_a_close_in_the_middle(
        self, open_database: Callable[..., Database]
    ) -> None:
        database = open_database()
        ends: list[str] = []

        def write(start: int) -> None:
            for number in range(start, start + 5000):
                try:
                    database.write_now(add(number), failpoint=STEP)
                except Unavailable as error:
                    ends.append(error.message)
                    return

        threads = [threading.Thread(target=write, args=(n * 10_000,)) for n in range(4)]
        for thread in threads:
            thread.start()
        threading.Event().wait(0.2)
        database.close()
        for thread in threads:
            thread.join(10)
        assert ends == ["The database is closed."] * 4

    def test_a_directory_that_is_not_there_is_named_as_the_reason(self, tmp_path: Path) -> None:
        database = Database(f"sqlite:///{tmp_path}/nowhere/x.db")
        with pytest.raises(Unavailable, match="unable to open") as caught:
            database.open()
        assert caught.value.hint is not None
        assert "MAILBOX_GUARD_DATA_DIR" in caught.value.hint
        database.close()


def test_an_insert_says_how_many_rows_it_made(database: Database) -> None:
    """Also where the server makes the key, and the statement therefore returns it."""

    def fn(connection: Connection) -> list[int]:
        statement = insert(connection, rows).values(number=1).on_conflict_do_nothing()
        return [connection.execute(statement).rowcount for _ in range(2)]

    assert database.write_now(fn, failpoint=STEP) == [1, 0]


async def test_a_reading_connection_cannot_write(database: Database) -> None:
    with pytest.raises(Exception, match=r"read-?only"):
        await database.read(add(1))


def test_a_table_that_is_not_there_yet_is_an_outage_on_both(database: Database) -> None:
    for act in (
        lambda: database.read_now(lambda c: c.execute(text("SELECT * FROM nowhere"))),
        lambda: database.write_now(
            lambda c: c.execute(text("DELETE FROM nowhere")), failpoint=STEP
        ),
    ):
        with pytest.raises(Unavailable, match="nowhere") as caught:
            act()
        assert "db upgrade" in str(caught.value.hint)


class TestCrashes:
    async def test_a_crash_takes_the_whole_batch_and_its_memory_with_it(
        self, open_database: Callable[..., Database]
    ) -> None:
        points = CrashAt(f"{STEP}:before-commit", occurrence=3)
        database = open_database(points, batch_seconds=UNHURRIED)

        def remember(connection: Connection) -> None:
            scratch(connection)["head"] = 1

        with Held(database):
            tasks = await queued(database, add(1), remember, add(3))
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(end) for end in ends] == [Crash] * 3
        assert numbers(open_database()) == []
        points.crashed = False
        assert await database.write(lambda c: dict(scratch(c)), failpoint=STEP) == {}

    async def test_a_crash_inside_a_function_is_one_of_the_process(
        self, database: Database
    ) -> None:
        def die(connection: Connection) -> None:
            raise Crash("inside")

        with Held(database):
            tasks = await queued(database, add(1), die)
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(end) for end in ends] == [Crash] * 2
        assert numbers(database) == []

    async def test_points_are_reached_once_for_each_job_though_it_runs_twice(
        self, open_database: Callable[..., Database]
    ) -> None:
        trace = Recorder()
        database = open_database(trace, batch_seconds=UNHURRIED)
        with Held(database):
            tasks = await queued(database, add(1), refuse, add(2))
        await asyncio.gather(*tasks, return_exceptions=True)
        before, after = f"{STEP}:before-commit", f"{STEP}:after-commit"
        assert trace.reached == [before, after, before, before, after, after]
