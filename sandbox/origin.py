"""One HTTPS origin: an application on a port of its own, and the `Date` of its answers."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable, Iterator
from datetime import UTC
from email.utils import format_datetime

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kernel.clock import Clock


class _Server(uvicorn.Server):
    """A server that leaves the process's signals to whoever owns the process."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture nothing."""
        yield


class Origin:
    """A bound socket at once, a running server from `start` to `stop`.

    `clock` is that of the service, by which it dates its answers as it dates its rows.
    """

    def __init__(self, host: str, port: int, *, context: ssl.SSLContext, clock: Clock) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind((host, port))
        self._context = context
        self._clock = clock
        self._host = host
        self._server: _Server | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """The port that the origin has."""
        port: int = self._socket.getsockname()[1]
        return port

    @property
    def url(self) -> str:
        """The origin's address, without a slash at the end."""
        return f"https://{self._host}:{self.port}"

    async def start(self, app: ASGIApp) -> None:
        """Serve the application; return when requests are answered."""
        context = self._context

        def own_context(
            _config: uvicorn.Config, _default: Callable[[], ssl.SSLContext]
        ) -> ssl.SSLContext:
            return context

        config = uvicorn.Config(
            self._dated(app),
            ssl_context_factory=own_context,
            lifespan="off",
            log_config=None,
            access_log=False,
            ws="none",
            server_header=False,
            date_header=False,
            timeout_graceful_shutdown=1,
        )
        self._server = _Server(config)
        self._task = asyncio.create_task(self._server.serve(sockets=[self._socket]))
        while not self._server.started:
            if self._task.done():
                await self._task
                raise RuntimeError(f"The origin {self.url} did not start.")
            await asyncio.sleep(0.01)

    def _dated(self, app: ASGIApp) -> ASGIApp:
        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            async def dated(message: Message) -> None:
                if message["type"] == "http.response.start":
                    date = format_datetime(self._clock.now().astimezone(UTC), usegmt=True)
                    headers = [*message.get("headers", ()), (b"date", date.encode())]
                    message = {**message, "headers": headers}
                await send(message)

            await app(scope, receive, dated)

        return answer

    async def stop(self) -> None:
        """Stop serving and free the port."""
        if self._server is not None and self._task is not None:
            self._server.should_exit = True
            while not self._task.done():
                await asyncio.sleep(0.02)
                _abandon_idle(self._server)
            await self._task
            for connection in list(self._server.server_state.connections):
                connection.transport.abort()
        self._socket.close()


def _abandon_idle(server: uvicorn.Server) -> None:
    """Drop kept-alive connections: a client that is not asking anything is not waited for."""
    for connection in list(server.server_state.connections):
        cycle = getattr(connection, "cycle", None)
        if cycle is None or cycle.response_complete:
            connection.transport.abort()
