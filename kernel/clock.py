"""Time as a port: what the clock says, and waiting.

This is the only module that reads the machine's clock or sleeps.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Where the time comes from."""

    def now(self) -> datetime:
        """Return the present moment, aware and in UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never go backwards; only differences mean anything."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait for that many seconds."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """Return the present moment, aware and in UTC."""
        return datetime.now(UTC)  # noqa: TID251 - this is the place where the clock is read.

    def monotonic(self) -> float:
        """Return the machine's monotonic seconds."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait on the event loop."""
        # Commands that never wait should not pay for the event loop's import.
        import asyncio

        await asyncio.sleep(seconds)


class FrozenClock:
    """A clock that stands still until it is advanced; sleeping advances it."""

    def __init__(self, at: datetime) -> None:
        self._at = at.astimezone(UTC)
        self._monotonic = 1000.0

    def now(self) -> datetime:
        """Return the moment at which the clock stands."""
        return self._at

    def monotonic(self) -> float:
        """Return seconds that move only with `advance` and `sleep`."""
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Move the clock forward."""
        self._at += timedelta(seconds=seconds)
        self._monotonic += seconds

    async def sleep(self, seconds: float) -> None:
        """Advance by that many seconds and let other tasks run."""
        import asyncio

        self.advance(seconds)
        await asyncio.sleep(0)
