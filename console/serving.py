"""An ASGI application is served by uvicorn: httptools, uvloop, no access log, graceful end."""

from __future__ import annotations

import asyncio
import gc
import resource
import signal
import socket
import struct
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from kernel.errors import InputRefused
from kernel.log import Sparing, get_logger

GRACE_SECONDS = 10
# The parser keeps what it can't make anything of yet, and has no limit of its own.
MOST_HEAD_BYTES = 64 * 1024
HEAD_TOO_LONG = "The head of the request is too long."
# Whoever connects says what it wants within this time, or makes room.
HEAD_SECONDS = 10.0
# From the end of the head to the last byte of the answer: body, decision, and who reads it.
REQUEST_SECONDS = 60.0
# How long a connection is kept for the next request.
KEEP_ALIVE_SECONDS = 75
STRANGER_SECONDS = 10
_AT_ONCE = struct.pack("ii", 1, 0)
# So many connections may be here that have shown no key: a part of the descriptors at most.
MOST_STRANGERS = 256
STRANGERS_SHARE = 1 / 4
# Requests that one connection may send before the first of them is answered. What is sent together
# is read together: a quarter of a megabyte of them would be thousands, each with its answer.
MOST_AHEAD = 16


log = get_logger("serve")
sparing = Sparing()


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket. Raises InputRefused when the address cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
    except OSError as error:
        sock.close()
        raise InputRefused(
            f"{host}:{port} cannot be listened on: {error.strerror}.",
            hint="Choose another --host or --port.",
        ) from error
    sock.listen(2048)
    sock.setblocking(False)
    return sock


class Gathering:
    """A transport that sends at once what is written in one turn of the event loop.

    uvicorn writes head and body of an answer one after the other. Sent together they save a system
    call, which is the dearest part of serving an answer, and the caller a packet.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._parts: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Send the bytes before the loop waits again."""
        if not self._parts:
            self._loop.call_soon(self._flush)
        self._parts.append(data)

    def close(self) -> None:
        """Send what was written, then close."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        parts, self._parts = self._parts, []
        # Whoever was hung up on in the same turn gets nothing more.
        if parts and not self._transport.is_closing():
            self._transport.write(b"".join(parts))


class Strangers:
    """The connections that have shown no key: so many at once, and the oldest makes room.

    Whoever has no key can thus take no connection, and no descriptor, from who has one.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._here: dict[_Protocol, None] = {}

    def come(self, one: _Protocol) -> None:
        """Take in a connection; when there are too many, the oldest is hung up on."""
        self._here[one] = None
        if len(self._here) > self._most:
            oldest = next(iter(self._here))
            self.go(oldest)
            oldest.hang_up()

    def go(self, one: _Protocol) -> None:
        """Forget a connection: it has ended, or shown a key."""
        self._here.pop(one, None)


class _TooManyAhead(Exception):
    """A connection sends requests and does not wait for their answers."""


class _Protocol(HttpToolsProtocol):
    """uvicorn's protocol over a gathering transport, with an end to everything that is waited for.

    A head, or a trailer, may not grow without end. A head is waited for so long, and so is
    everything from there to the last byte of its answer, the body among it; who has not sent the
    body by then has no more to say on this connection. Nor has who sends more requests ahead than
    are kept.
    """

    def __init__(self, *args: Any, strangers: Strangers, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._strangers = strangers
        self._unparsed_bytes = 0
        self._is_in_head = False
        self._hanging_up: asyncio.TimerHandle | None = None
        self._incomplete: Any = None
        self.timeout_keep_alive = STRANGER_SECONDS

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first request."""
        super().connection_made(transport)
        gathering: Any = Gathering(transport, self.loop)
        self.transport = gathering
        self._hang_up_in(HEAD_SECONDS)
        self._strangers.come(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._stay()
        self._strangers.go(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came."""
        self._unparsed_bytes += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._unparsed_bytes > MOST_HEAD_BYTES:
            sparing.warn(log, "request_refused", kind="", status=400, because=HEAD_TOO_LONG)
            self.send_400_response(HEAD_TOO_LONG)
        elif self._hanging_up is None and (self._is_in_head or self._is_idle):
            self._hang_up_in(HEAD_SECONDS)

    def on_message_begin(self) -> None:
        """Begin a head."""
        self._is_in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Begin the request. Raises _TooManyAhead, with which the parser stops."""
        self._is_in_head = False
        self._unparsed_bytes = 0
        if len(self.pipeline) >= MOST_AHEAD:
            raise _TooManyAhead
        super().on_headers_complete()
        self._incomplete = self.cycle
        # For whoever checks the key: from then on the connection is no stranger's any more.
        self.scope["proven"] = self._prove  # type: ignore[typeddict-unknown-key]
        # For whoever reads the body: one that has come need not be waited for.
        self.scope["has_come"] = self._has_come  # type: ignore[typeddict-unknown-key]
        self._hang_up_in(REQUEST_SECONDS)

    def on_body(self, body: bytes) -> None:
        """Hand on a part of the body."""
        self._unparsed_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Know that the request came whole."""
        self._incomplete = None
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Go on with the next request, unless the rest of this one is still to come."""
        self._stay()
        super().on_response_complete()
        if self._incomplete is not None and self._incomplete.response_complete:
            self.transport.close()
            self._hang_up_in(HEAD_SECONDS)
        elif not self._is_idle:
            self._hang_up_in(REQUEST_SECONDS)
        elif self._is_in_head:
            self._hang_up_in(HEAD_SECONDS)

    def hang_up(self) -> None:
        """Break off, whatever is still to be sent: who does not read would be waited for."""
        self._stay()
        if not self.transport.get_write_buffer_size():
            self.transport.close()
            return
        sock = self.transport.get_extra_info("socket")
        if sock is not None:
            # The system would go on trying to send what nobody reads.
            with suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        self.transport.abort()

    @property
    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _prove(self) -> None:
        self._strangers.go(self)
        self.timeout_keep_alive = KEEP_ALIVE_SECONDS

    def _has_come(self) -> bool:
        # Of an earlier request on this connection more than of the newest has come.
        return self._incomplete is None

    def _hang_up_in(self, seconds: float) -> None:
        self._stay()
        self._hanging_up = self.loop.call_later(seconds, self.hang_up)

    def _stay(self) -> None:
        if self._hanging_up is not None:
            self._hanging_up.cancel()
            self._hanging_up = None


class Serving(uvicorn.Server):
    """One server on one socket; signals are the caller's."""

    def __init__(self, application: Any, sock: socket.socket) -> None:
        config = uvicorn.Config(
            application,
            http=partial(_Protocol, strangers=Strangers(most_strangers())),  # type: ignore[arg-type]
            ws="none",
            lifespan="off",
            access_log=False,
            # uvicorn logs through the standard library, which kernel.log has redirected.
            log_config=None,
            server_header=False,
            date_header=False,
            # Nothing here asks who called or by which scheme, so no header may claim it.
            proxy_headers=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
        )
        super().__init__(config)
        self._socket = sock
        self._began = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone: the process handles them for all its parts."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Take connections, and say so."""
        await super().startup(sockets=sockets)
        self._began.set()

    async def run_until(self, stop: asyncio.Event, ready: Callable[[], Awaitable[None]]) -> None:
        """Serve until `stop` is set; `ready` is called once connections are taken."""
        serving = asyncio.create_task(self.serve(sockets=[self._socket]))
        beginning = asyncio.create_task(self._began.wait())
        await asyncio.wait({serving, beginning}, return_when=asyncio.FIRST_COMPLETED)
        beginning.cancel()
        # What was made while starting lives as long as the process: the collector need not look.
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 50, 50)
        await ready()
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        self.should_exit = True
        stopping.cancel()
        await serving


def most_strangers() -> int:
    """Return how many connections without a key there may be, after asking for all descriptors."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
    if soft == resource.RLIM_INFINITY:
        return MOST_STRANGERS
    return max(8, min(MOST_STRANGERS, int(soft * STRANGERS_SHARE)))


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run until done on uvloop, where there is one: half the cost of a request at the wire."""
    factory: Callable[[], asyncio.AbstractEventLoop] | None = None
    if sys.platform != "win32":
        from uvloop import new_event_loop as factory
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main)


def stop_on_signals(stop: asyncio.Event) -> None:
    """Set the event on SIGTERM and SIGINT."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
