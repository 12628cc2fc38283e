"""Row locks: whoever writes a row holds it until the transaction ends; readers never wait."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable

from sandbox.dataverse.faults import LOCK_TIMED_OUT, Fault


class Locks:
    """One lock for each row or group of rows that change together."""

    def __init__(self, *, timeout_seconds: float) -> None:
        self.timeout_seconds = timeout_seconds
        self._locks: dict[Hashable, asyncio.Lock] = {}

    async def take(self, key: Hashable, *, held: set[Hashable]) -> None:
        """Hold a row; a row already held by the same transaction is not asked for twice."""
        if key in held:
            return
        lock = self._locks.setdefault(key, asyncio.Lock())
        try:
            await asyncio.wait_for(lock.acquire(), self.timeout_seconds)
        except TimeoutError as error:
            raise Fault(
                500, LOCK_TIMED_OUT, "SQL timeout expired while waiting for a row lock."
            ) from error
        held.add(key)

    def release(self, held: set[Hashable]) -> None:
        """Let go of everything a transaction held."""
        for key in held:
            self._locks[key].release()
        held.clear()
