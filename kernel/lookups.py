"""Look-ups by key that are asked together: while one question is under way, the next gathers.

Handing one question to a reader thread, with a transaction around it, costs more than all the rest
of a decision; asked for as many as wait, it costs each of them next to nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Generic, TypeVar

from sqlalchemy import Connection

from kernel.database import Database

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

MOST_AT_ONCE = 100


class Lookups(Generic[K, V]):
    """One kind of look-up; `find` returns what it has under these keys, in one transaction."""

    def __init__(
        self, database: Database, find: Callable[[Connection, Sequence[K]], Mapping[K, V]]
    ) -> None:
        self._database = database
        self._find = find
        self._waiting: list[tuple[K, asyncio.Future[V | None]]] = []
        self._asking: asyncio.Task[None] | None = None

    async def get(self, key: K) -> V | None:
        """Return what is there under a key, read after it was asked for; None when nothing is.

        Raises Unavailable when the database cannot be read or says nothing, however many wait.
        """
        future: asyncio.Future[V | None] = asyncio.get_running_loop().create_future()
        self._waiting.append((key, future))
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask_all())
        return await future

    async def _ask_all(self) -> None:
        try:
            while self._waiting:
                # What the loop has read in this turn is asked for in the next.
                await asyncio.sleep(0)
                asked, self._waiting = self._waiting[:MOST_AT_ONCE], self._waiting[MOST_AT_ONCE:]
                try:
                    await self._ask(asked)
                except Exception as error:  # noqa: BLE001 - it is the callers' answer.
                    # Who asked meanwhile waited for the same silence, and would wait for it again.
                    failed, self._waiting = asked + self._waiting, []
                    for _, future in failed:
                        if not future.done():
                            future.set_exception(error)
        finally:
            self._asking = None

    async def _ask(self, asked: Sequence[tuple[K, asyncio.Future[V | None]]]) -> None:
        keys = tuple(dict.fromkeys(key for key, _ in asked))
        found = await self._database.read(lambda c: self._find(c, keys))
        for key, future in asked:
            if not future.done():
                future.set_result(found.get(key))
