"""A sandbox beside code that has no event loop: commands, and tests of commands."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Coroutine, Iterator
from typing import Any, TypeVar

from sandbox.server import Sandbox

T = TypeVar("T")


class Threaded:
    """A running sandbox with an event loop of its own, in a thread of its own."""

    def __init__(self, sandbox: Sandbox, loop: asyncio.AbstractEventLoop) -> None:
        self.sandbox, self._loop = sandbox, loop

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run something on the sandbox's loop and return what it returns."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


@contextlib.contextmanager
def running(sandbox: Sandbox) -> Iterator[Threaded]:
    """Serve the sandbox in a thread for as long as the block lasts."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="sandbox", daemon=True)
    thread.start()
    threaded = Threaded(sandbox, loop)
    try:
        threaded.run(sandbox.start())
        yield threaded
    finally:
        threaded.run(sandbox.stop())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
