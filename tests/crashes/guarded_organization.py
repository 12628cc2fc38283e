"""One organisation and the guard's process beside it, which may die at any failpoint.

The sandbox posts to one address for as long as the test lasts. Behind it stands the process of the
moment: its own database handle, connections, receiver and workers, the ones that `serve` has. When
it dies, its connections break, nothing is cleaned up and nobody answers until another is started.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

from console.application import application
from console.gauges import GaugeReader
from console.metrics import PrometheusMetrics
from console.policy_folder import PolicyFolder
from console.serving import Serving, listen
from console.wiring.connections import connect_guard
from console.wiring.guard import open_guard
from kernel.clock import FrozenClock
from kernel.database import Database
from kernel.failpoints import Crash
from kernel.settings import Settings, load
from sandbox import people
from sandbox.server import Sandbox
from tests.conftest import NOON
from tests.crashes.beginning import Beginning, Later

KEY = "the-key-of-the-crash-tests"
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class GuardProcess:
    """What `serve` puts together, without the timers: the test says when something is due."""

    def __init__(self, settings: Settings, clock: FrozenClock, policies: PolicyFolder) -> None:
        self.points = Later()
        self.database = Database(settings.database_url, failpoints=self.points)
        self.database.create_tables()
        self.database.open()
        self._connections = connect_guard(settings, clock, failpoints=self.points)
        self.guard = open_guard(
            settings,
            self.database,
            clock,
            policies=policies.holder,
            metrics=PrometheusMetrics(),
            connections=self._connections,
            readiness=lambda: None,
        )
        self._application = application(
            self.guard.webhook,
            readiness=_ready,
            metrics=PrometheusMetrics(),
            gauges=GaugeReader(self.database, clock).read,
        )
        self._requests: set[asyncio.Task[Any]] = set()

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> bool:
        """Answer one request; False when the process died over it."""
        request = asyncio.ensure_future(self._application(scope, receive, send))
        self._requests.add(request)
        request.add_done_callback(self._requests.discard)
        try:
            await request
        except (Crash, asyncio.CancelledError):
            return False
        return True

    async def end(self) -> None:
        """Drop everything. After a crash no point lets anything more through."""
        for request in list(self._requests):
            request.cancel()
        self.database.close()
        await self._connections.aclose()


class GuardedOrganization:
    """The organisation, its data as at the beginning, and the process of the moment."""

    def __init__(self, sandbox: Sandbox, clock: FrozenClock, port: int) -> None:
        self.sandbox = sandbox
        self.clock = clock
        self.url = f"http://127.0.0.1:{port}/webhooks/dataverse"
        self.process: GuardProcess | None = None
        self._policies = PolicyFolder.of(load({}, None), clock)
        self._one_at_a_time = asyncio.Lock()
        self._front: Serving | None = None
        self._beginning = Beginning(sandbox, _TABLES)

    @property
    def running(self) -> GuardProcess:
        """The process of the moment."""
        assert self.process is not None
        return self.process

    @property
    def has_died(self) -> bool:
        """Whether the process of the moment has met its crash."""
        return self.running.points.crashed

    async def serve(self, sock: Any) -> AsyncIterator[Self]:
        """Answer at the one address until the test ends."""
        self._front = Serving(self, sock)
        serving = asyncio.create_task(self._front.serve(sockets=[sock]))
        while not self._front.started:  # noqa: ASYNC110 - the server has no event for it.
            await asyncio.sleep(0.005)
        try:
            yield self
        finally:
            self._front.should_exit = self._front.force_exit = True
            await serving

    async def start(self, database_url: str) -> GuardProcess:
        """Start a process over a database, as `serve` does: it learns first who it is."""
        environment = self.sandbox.settings() | {
            "MAILBOX_GUARD_DATABASE_URL": database_url,
            "MAILBOX_GUARD_WEBHOOK_KEYS": KEY,
            "MAILBOX_GUARD_DELEGATED_APPROVER_ROLE_ID": people.role_id(people.DELEGATED_APPROVER),
        }
        self.process = GuardProcess(load(environment, None), self.clock, self._policies)
        await self.process.guard.introduce()
        return self.process

    async def stop(self) -> None:
        """End the process of the moment, dead or alive."""
        process, self.process = self.process, None
        if process is not None:
            await process.end()

    def remember_beginning(self) -> None:
        """Take the organisation as it is for the beginning of every run."""
        self._beginning = Beginning(self.sandbox, _TABLES)

    def rewind(self) -> None:
        """Put the organisation back to its beginning."""
        self._beginning.restore()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # One at a time, so that every run takes the steps in the same order.
        async with self._one_at_a_time:
            process = self.process
            if process is None or not await process.answer(scope, receive, send):
                self._hang_up(scope)
                # The server has to notice before it finds that nothing was answered.
                await asyncio.sleep(0.001)

    def _hang_up(self, scope: Scope) -> None:
        """Break the connection, as a process that dies does."""
        assert self._front is not None
        for connection in list(self._front.server_state.connections):
            if getattr(connection, "client", None) == scope["client"]:
                connection.transport.abort()


def _report(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Report what nobody took care of, unless it is the crash itself: the dead take no care."""
    if not isinstance(context.get("exception"), Crash):
        loop.default_exception_handler(context)


async def _ready() -> dict[str, Any]:
    return {"ready": True}


# What a scenario may change.
_TABLES = (
    "mailbox",
    "systemuser",
    "queue",
    "asyncoperation",
    "sdkmessageprocessingstep",
    "appnotification",
)


@asynccontextmanager
async def open_guarded_organization() -> AsyncIterator[GuardedOrganization]:
    """Yield a guarded whose organisation posts to it; times stand still at noon."""
    clock = FrozenClock(NOON)
    asyncio.get_running_loop().set_exception_handler(_report)
    with contextlib.closing(listen("127.0.0.1", 0)) as sock:
        async with Sandbox(clock=clock) as sandbox:
            guarded = GuardedOrganization(sandbox, clock, sock.getsockname()[1])
            sandbox.register(guarded.url, KEY)
            sandbox.dataverse.jobs.longest_delay_seconds = 0.0
            async for _ in guarded.serve(sock):
                yield guarded
                await guarded.stop()


def database_url(path: Path) -> str:
    """Return the URL of an embedded database."""
    return f"sqlite:///{path}"
