"""Doing things every few seconds until the process stops."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Collection
from typing import Any, Protocol

from kernel.clock import Clock
from kernel.failpoints import Crash
from kernel.log import get_logger

# How long a stop waits for what is under way.
GRACE_SECONDS = 10.0

log = get_logger("periodic")


class Runner(Protocol):
    """Does things again and again."""

    def every(self, seconds: float, fn: Callable[[], Awaitable[object]], *, name: str) -> None:
        """Call `fn` every so many seconds, each time after the last call has ended."""
        ...

    async def stop(self) -> None:
        """Let the calls under way end, for a while, and call no more."""
        ...


async def end(
    tasks: Collection[asyncio.Task[Any]], *, grace_seconds: float = GRACE_SECONDS
) -> None:
    """Wait until the tasks have ended, and break off those that take too long.

    Whoever stops a process kills it soon after: what hangs on a service that is away must not keep
    the rest from being written. What is broken off is taken up again like after a crash.
    Raises what a task raised.
    """
    if not tasks:
        return
    _, late = await asyncio.wait(tasks, timeout=grace_seconds)
    for task in late:
        log.warning("call_broken_off", call=task.get_name())
        task.cancel()
    for ended in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(ended, BaseException) and not isinstance(ended, asyncio.CancelledError):
            raise ended


def always() -> bool:
    """Say that nothing stands in the way of a call."""
    return True


class AsyncioRunner:
    """The embedded runner: one asyncio task for each thing to do.

    Whenever `may_call` says no, calls are left out.
    """

    def __init__(self, clock: Clock, *, may_call: Callable[[], bool] = always) -> None:
        self._clock = clock
        self._may_call = may_call
        self._stopping = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def every(self, seconds: float, fn: Callable[[], Awaitable[object]], *, name: str) -> None:
        """Call `fn` now and every so many seconds, whatever it raises; that is logged once."""
        self._tasks.append(asyncio.create_task(self._repeat(seconds, fn, name), name=name))

    async def stop(self, *, grace_seconds: float = GRACE_SECONDS) -> None:
        """Let the calls under way end, for a while, and call no more."""
        self._stopping.set()
        await end(self._tasks, grace_seconds=grace_seconds)

    async def _repeat(self, seconds: float, fn: Callable[[], Awaitable[object]], name: str) -> None:
        failure = ""
        while not self._stopping.is_set():
            if self._may_call():
                failure = await _call(fn, name, failure)
            # A little spread keeps several processes from calling in step.
            wait = seconds * random.uniform(0.95, 1.05)  # noqa: S311 - no secret hangs on it.
            await self._wait(wait)

    async def _wait(self, seconds: float) -> None:
        """Wait by the clock, or until there is nothing more to wait for."""
        async with asyncio.TaskGroup() as group:
            stopping = group.create_task(self._stopping.wait())
            sleeping = group.create_task(self._clock.sleep(seconds))
            await asyncio.wait((stopping, sleeping), return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            sleeping.cancel()


async def _call(fn: Callable[[], Awaitable[object]], name: str, failure: str) -> str:
    """Call `fn` and return how it failed, empty when it did not; `failure` is how it did before.

    Told once: what is away may be so for hours, and this is called every second.
    """
    try:
        await fn()
    except Crash:
        raise
    except Exception as error:
        if repr(error) != failure:
            log.error("call_failed", call=name, error=str(error), exc_info=error)
        return repr(error)
    if failure:
        log.info("call_works_again", call=name)
    return ""
