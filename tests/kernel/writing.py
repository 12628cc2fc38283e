"""What the writer's tests write, and how they keep the writer busy meanwhile."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

from sqlalchemy import Column, Connection, Integer, Table, select

from kernel.database import Database, insert
from kernel.errors import Conflict
from kernel.failpoints import failpoint
from kernel.tables import BigKey, metadata

STEP = failpoint("tests.row", "A row of the writer's tests.")
rows = Table(
    "test_rows",
    metadata,
    Column("id", BigKey, primary_key=True, autoincrement=True),
    Column("number", Integer, nullable=False, unique=True),
)


# Long enough for a slow machine to put into one batch what waits together.
UNHURRIED = 30.0


def add(number: int) -> Callable[[Connection], int]:
    def fn(connection: Connection) -> int:
        connection.execute(insert(connection, rows).values(number=number))
        return number

    return fn


def numbers(database: Database) -> list[int]:
    return database.read_now(lambda c: list(c.scalars(select(rows.c.number).order_by("number"))))


class Held:
    """A job that keeps the writer busy until it is let go."""

    def __init__(self, database: Database) -> None:
        self._began, self._go = threading.Event(), threading.Event()
        self._thread = threading.Thread(
            target=lambda: database.write_now(self._block, failpoint=STEP), daemon=True
        )

    def _block(self, connection: Connection) -> None:
        self._began.set()
        assert self._go.wait(30)

    def __enter__(self) -> Held:
        self._thread.start()
        assert self._began.wait(10)
        return self

    def __exit__(self, *error: object) -> None:
        self._go.set()
        self._thread.join(10)


async def queued(database: Database, *fns: Callable[[Connection], Any]) -> list[asyncio.Task[Any]]:
    tasks = [asyncio.ensure_future(database.write(fn, failpoint=STEP)) for fn in fns]
    await asyncio.sleep(0)
    return tasks


def refuse(connection: Connection) -> None:
    connection.execute(insert(connection, rows).values(number=999))
    raise Conflict("not this one")
