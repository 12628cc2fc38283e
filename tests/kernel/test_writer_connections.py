"""The writer lives through killed connections, locks that are not given and locked files."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, create_engine, func, select, text

from kernel.database import Database
from kernel.errors import Unavailable
from tests.kernel.writing import STEP, UNHURRIED, Held, add, numbers, queued, rows


@pytest.fixture
def admin(postgres_url: str) -> Any:
    engine = create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    yield engine
    engine.dispose()


def kill_others(admin: Engine) -> None:
    with admin.connect() as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )


@pytest.mark.postgres
class TestLostConnections:
    @pytest.fixture
    def server_database(self, postgres_url: str) -> Any:
        database = Database(postgres_url, batch_seconds=UNHURRIED)
        database.create_tables()
        database.open()
        yield database
        database.close()

    async def test_a_connection_lost_while_idle_goes_unnoticed(
        self, server_database: Database, admin: Engine
    ) -> None:
        await server_database.write(add(1), failpoint=STEP)
        await server_database.read(lambda c: None)
        kill_others(admin)
        assert await server_database.write(add(2), failpoint=STEP) == 2
        kill_others(admin)
        assert await server_database.read(lambda c: c.scalar(select(func.count(rows.c.id)))) == 2

    async def test_a_connection_lost_before_the_commit_is_made_good(
        self, server_database: Database, admin: Engine
    ) -> None:
        runs = 0

        def killed_once(connection: Connection) -> int:
            nonlocal runs
            runs += 1
            add(2)(connection)
            if runs == 1:
                kill_others(admin)
            return add(3)(connection)

        with Held(server_database):
            tasks = await queued(server_database, add(1), killed_once, add(4))
        assert await asyncio.gather(*tasks) == [1, 3, 4]
        assert (runs, numbers(server_database)) == (2, [1, 2, 3, 4])

    async def test_a_connection_lost_at_the_commit_is_told_and_the_next_write_works(
        self, server_database: Database, admin: Engine
    ) -> None:
        def killed_at_the_end(connection: Connection) -> None:
            add(1)(connection)
            kill_others(admin)

        with pytest.raises(Unavailable, match="cannot be written"):
            await server_database.write(killed_at_the_end, failpoint=STEP)
        assert await server_database.write(add(2), failpoint=STEP) == 2
        assert numbers(server_database) == [2]

    async def test_a_connection_lost_twice_is_told(
        self, server_database: Database, admin: Engine
    ) -> None:
        def always_killed(connection: Connection) -> None:
            add(1)(connection)
            kill_others(admin)
            add(2)(connection)

        with Held(server_database):
            tasks = await queued(server_database, add(9), always_killed)
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(end) for end in ends] == [Unavailable, Unavailable]
        assert await server_database.write(add(3), failpoint=STEP) == 3

    def test_a_server_that_is_not_there_is_named_as_the_reason(self) -> None:
        database = Database("postgresql://anna:hidden-word@127.0.0.1:1/none")
        with pytest.raises(Unavailable, match="cannot be opened") as caught:
            database.open()
        assert "hidden-word" not in str(caught.value) + repr(caught.value.__cause__)
        database.close()

    async def test_a_lock_that_is_not_given_is_an_outage(self, postgres_url: str) -> None:
        one, other = (Database(postgres_url, busy_seconds=0.05) for _ in range(2))
        one.create_tables()
        one.open()
        other.open()
        await one.write(add(1), failpoint=STEP)
        began, go = threading.Event(), threading.Event()

        def lock(connection: Connection) -> None:
            connection.execute(select(rows).with_for_update())
            began.set()
            go.wait(10)

        locking = asyncio.ensure_future(one.write(lock, failpoint=STEP))
        await asyncio.to_thread(began.wait, 10)
        with pytest.raises(Unavailable, match="lock timeout"):
            await other.write(lambda c: c.execute(select(rows).with_for_update()), failpoint=STEP)
        go.set()
        await locking
        await other.write(lambda c: c.execute(select(rows).with_for_update()), failpoint=STEP)
        one.close()
        other.close()


HOLDER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.readline()
connection.execute("COMMIT")
print("free", flush=True)
"""


class TestALockedFile:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        return tmp_path / "x.db"

    @pytest.fixture
    def locked(self, path: Path) -> Any:
        """Another process holds the write lock until a line is sent to it."""
        with sqlite3.connect(path) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
        connection.close()
        with subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(path)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        ) as process:  # fmt: skip
            assert process.stdout is not None
            assert process.stdout.readline() == "locked\n"
            yield process
            process.kill()

    async def test_longer_than_the_busy_time_is_an_outage_and_then_it_works(
        self, path: Path, locked: Any
    ) -> None:
        database = Database(f"sqlite:///{path}", busy_seconds=0.05)
        database.open()
        ends = await asyncio.gather(
            *(database.write(lambda c: None, failpoint=STEP) for _ in range(3)),
            return_exceptions=True,
        )
        assert [type(end) for end in ends] == [Unavailable] * 3
        assert "locked" in str(ends[0])
        locked.stdin.write("\n")
        locked.stdin.flush()
        assert locked.stdout.readline() == "free\n"
        assert await database.write(lambda c: 5, failpoint=STEP) == 5
        database.close()

    async def test_who_has_a_deadline_does_not_wait_for_the_lock(
        self, path: Path, locked: Any
    ) -> None:
        database = Database(f"sqlite:///{path}")
        database.open()
        with pytest.raises(Unavailable, match="within"):
            await asyncio.wait_for(
                database.write(
                    lambda c: c.exec_driver_sql("CREATE TABLE t (a)"),
                    failpoint=STEP,
                    deadline_seconds=0.1,
                ),
                5,
            )
        locked.stdin.write("\n")
        locked.stdin.flush()
        assert await database.write(lambda c: "after", failpoint=STEP) == "after"
        names = database.read_now(lambda c: list(c.scalars(text("SELECT name FROM sqlite_master"))))
        assert names == []
        database.close()
