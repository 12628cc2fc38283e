"""An application is served on a socket that was had before anything else began."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from console import serving
from console.serving import Gathering, Serving, listen
from kernel.errors import InputRefused


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Answer after a moment, so that an end can come in between."""
    await asyncio.sleep(0.2)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"here"})


@dataclass(frozen=True, slots=True)
class Served:
    """An application that is served now."""

    port: int
    stop: asyncio.Event

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}/"

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open a connection and say nothing on it."""
        return await asyncio.open_connection("127.0.0.1", self.port)


@asynccontextmanager
async def served(application: Any) -> AsyncIterator[Served]:
    """Serve an application until the end of the block."""
    sock = listen("127.0.0.1", 0)
    stop, is_ready = asyncio.Event(), asyncio.Event()

    async def ready() -> None:
        is_ready.set()

    running = asyncio.create_task(Serving(application, sock).run_until(stop, ready))
    await asyncio.wait_for(is_ready.wait(), 10)
    try:
        yield Served(sock.getsockname()[1], stop)
    finally:
        stop.set()
        await asyncio.wait_for(running, 10)
        sock.close()


def test_a_taken_port_is_refused_with_a_mend() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputRefused, match=f"127.0.0.1:{port} cannot be listened on") as error:
            listen("127.0.0.1", port)
    assert error.value.exit_code == 2
    assert "--port" in str(error.value.hint)


def test_a_foreign_address_is_refused() -> None:
    with pytest.raises(InputRefused, match=r"192\.0\.2\.1:0 cannot be listened on"):
        listen("192.0.2.1", 0)


def test_a_host_that_has_no_address_is_refused() -> None:
    with pytest.raises(InputRefused, match=r"nowhere\.invalid"):
        listen("nowhere.invalid", 0)


async def test_a_request_under_way_is_answered_before_the_end() -> None:
    async with served(application) as server, httpx.AsyncClient() as client:
        asked = asyncio.create_task(client.get(server.url))
        await asyncio.sleep(0.1)
        server.stop.set()
        answer = await asked
    assert (answer.status_code, answer.text) == (200, "here")


async def test_what_cannot_begin_ends_the_serving() -> None:
    sock = listen("127.0.0.1", 0)
    stop = asyncio.Event()

    async def ready() -> None:
        raise InputRefused("Something else is missing.")

    with pytest.raises(InputRefused, match="Something else"):
        await asyncio.wait_for(Serving(application, sock).run_until(stop, ready), 15)
    sock.close()


async def streaming(scope: Any, receive: Any, send: Any) -> None:
    """Read the whole body, then answer in two parts, the second when the first was seen."""
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"first", "more_body": True})
    await SEEN.wait()
    await send({"type": "http.response.body", "body": b"second"})


SEEN = asyncio.Event()


@pytest.mark.parametrize(
    "beginning",
    [
        b"GET / HTTP/1.1\r\nx-long: ",
        b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\nx: ",
    ],
    ids=["header", "trailer"],
)
async def test_a_head_without_end_is_broken_off(beginning: bytes) -> None:
    async with served(application) as server:
        _, writer = await server.connect()
        writer.write(beginning)

        async def go_on() -> None:
            for _ in range(1000):
                writer.write(b"a" * 16 * 1024)
                await writer.drain()

        with pytest.raises(ConnectionError):
            await go_on()
        writer.close()


@pytest.mark.parametrize(
    "beginning",
    [
        b"",
        b"GET / HTTP/1.1\r\nhost: ",
        b"GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\nhost: ",
    ],
    ids=["nothing", "header", "second request"],
)
async def test_a_head_that_never_ends_is_not_waited_for(
    beginning: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "HEAD_SECONDS", 0.3)
    async with served(application) as server:
        reader, writer = await server.connect()
        for one in beginning:
            writer.write(bytes([one]))
            await writer.drain()
        await asyncio.wait_for(reader.read(), 5)
        writer.close()


async def test_a_request_that_came_whole_may_take_longer_than_its_head(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(serving, "HEAD_SECONDS", 0.05)
    async with served(application) as server, httpx.AsyncClient() as client:
        for _ in range(2):
            assert (await client.post(server.url, content=b"a")).text == "here"
            await asyncio.sleep(0.1)


async def test_a_body_may_be_longer_than_a_head() -> None:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b"a" * 10_000

    async with served(application) as server, httpx.AsyncClient() as client:
        for body in (parts(), b"a" * 1_000_000):
            assert (await client.post(server.url, content=body)).status_code == 200


class Wire(asyncio.Transport):
    """A transport that keeps each write apart."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[bytes] = []
        self.is_gone = False

    def is_closing(self) -> bool:
        return self.is_gone

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.sent.append(bytes(data))

    def close(self) -> None:
        self.sent.append(b"closed")


async def test_what_is_written_in_one_turn_leaves_as_one() -> None:
    wire = Wire()
    gathering = Gathering(wire, asyncio.get_running_loop())
    gathering.write(b"head ")
    gathering.write(b"body")
    assert wire.sent == []
    await asyncio.sleep(0)
    gathering.write(b"another")
    gathering.close()
    await asyncio.sleep(0)
    assert wire.sent == [b"head body", b"another", b"closed"]


async def test_what_the_caller_waits_for_is_not_held_back() -> None:
    async with served(streaming) as server:
        reader, writer = await server.connect()
        writer.write(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n")
        writer.write(b"expect: 100-continue\r\n\r\n")
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"{}")
        assert (await reader.readuntil(b"first\r\n")).startswith(b"HTTP/1.1 200 OK\r\n")
        SEEN.set()
        assert await reader.readexactly(16) == b"6\r\nsecond\r\n0\r\n\r\n"
        writer.close()


async def bodiless(scope: Any, receive: Any, send: Any) -> None:
    """Answer without reading the body."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"here"})


async def patient(scope: Any, receive: Any, send: Any) -> None:
    """Read the whole body, however long it takes; show a key when there is one in the query."""
    if scope["query_string"]:
        scope["proven"]()
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"x" * 100_000})


HEAD_OF_A_BODY = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n"


@pytest.mark.parametrize(
    ("app", "pieces"),
    [
        (patient, [HEAD_OF_A_BODY]),
        (patient, [HEAD_OF_A_BODY, *[b"a"] * 200]),
        (bodiless, [HEAD_OF_A_BODY, *[b"a"] * 200]),
        (bodiless, [b"GET / HTTP/1.1\r\nhost: x\r\n\r\n", *[b"\r\n"] * 200]),
        (bodiless, [b"\r\n"] * 200),
        (patient, [b"GET / HTTP/1.1\r\nhost: x\r\n\r\n" * 200]),
    ],
    ids=[
        "no byte of a body", "a body in drops", "a body in drops after its answer",
        "blank lines after an answer", "blank lines", "answers that nobody reads",
    ],
)  # fmt: skip
async def test_nothing_is_waited_for_without_end(
    app: Any, pieces: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "HEAD_SECONDS", 0.4)
    monkeypatch.setattr(serving, "REQUEST_SECONDS", 0.4)
    monkeypatch.setattr(serving, "STRANGER_SECONDS", 0.4)
    async with served(app) as server:
        # A narrow window, so that what is not read waits on the other side.
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.connect(("127.0.0.1", server.port))
        sock.setblocking(False)
        loop = asyncio.get_running_loop()

        async def until_hung_up() -> None:
            for piece in pieces:
                await loop.sock_sendall(sock, piece)
                await asyncio.sleep(0.02)
            while True:
                await asyncio.sleep(0.02)
                await loop.sock_sendall(sock, b"")
                if is_closed(sock):
                    return

        with contextlib.suppress(ConnectionError):
            await asyncio.wait_for(until_hung_up(), 8)
        sock.close()


def is_closed(sock: socket.socket) -> bool:
    """Return whether the other side has ended the connection, without reading what it sent."""
    established = 1
    return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] != established


async def test_whoever_shows_no_key_makes_room_and_takes_no_place_from_who_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(serving, "most_strangers", lambda: 8)
    async with served(patient) as server, httpx.AsyncClient() as client:
        known = await server.connect()
        known[1].write(b"POST /?code=k HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n")
        await known[1].drain()
        idle = [await server.connect() for _ in range(50)]
        await asyncio.sleep(0.1)
        ended = [reader.at_eof() for reader, _ in idle]
        assert sum(ended) >= 50 - 8
        assert not ended[-1]
        # A delivery that was under way is answered, and so is one that comes now.
        known[1].write(b"{}")
        assert (await known[0].readline()).startswith(b"HTTP/1.1 200")
        assert (await client.post(f"{server.url}?code=k", content=b"{}")).status_code == 200
        for _, writer in [known, *idle]:
            writer.close()


async def test_whoever_sends_requests_ahead_is_hung_up_on_before_they_pile_up() -> None:
    asked = 0

    async def counting(scope: Any, receive: Any, send: Any) -> None:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0.05)
        await bodiless(scope, receive, send)

    async with served(counting) as server:
        reader, writer = await server.connect()
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n" * 5_000)
        with contextlib.suppress(ConnectionError):
            await asyncio.wait_for(reader.read(), 5)
        writer.close()
        # A few are what a client may send ahead: they are answered in their order.
        reader, writer = await server.connect()
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n" * 8)
        for _ in range(8):
            answer = await reader.readuntil(b"\r\n0\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 200 OK")
        writer.close()
    assert asked <= 1 + 8


async def test_what_is_written_to_a_connection_that_is_gone_is_dropped() -> None:
    wire = Wire()
    Gathering(wire, asyncio.get_running_loop()).write(b"late")
    wire.is_gone = True
    await asyncio.sleep(0)
    assert wire.sent == []
