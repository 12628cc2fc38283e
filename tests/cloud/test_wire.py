"""The real wire against a tiny server on this machine that answers by script, byte for byte."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from urllib.parse import unquote

import httpx
import pytest
import trustme

from cloud.call import Call
from cloud.errors import BadAnswer, Unknown, Unreachable
from cloud.graph import Graph
from cloud.origins import graph_service
from cloud.tokens import FixedTokens
from cloud.transport import Transport
from cloud.wire import aiohttp_wire, read_bounded, trust_of
from kernel.clock import SystemClock
from kernel.errors import SettingInvalid
from tests.cloud.scripted import MAILBOX, a_send

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
COOKIE = OK.replace(b"\r\nContent-Type", b"\r\nSet-Cookie: ARRAffinity=a; Path=/\r\nContent-Type")


class Raw:
    """A server that keeps the heads of its requests; None in the script drops the connection."""

    def __init__(self, *script: bytes | None) -> None:
        self.script = list(script)
        self.heads: list[str] = []
        self.port = 0
        self.connections: list[asyncio.Task[None] | None] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections.append(asyncio.current_task())
        try:
            while True:
                self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
                reply = self.script.pop(0) if len(self.script) > 1 else self.script[0]
                if reply is None:
                    break
                writer.write(reply)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


@asynccontextmanager
async def serving(
    *script: bytes | None, tls: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[Raw, Transport, str]]:
    raw = Raw(*script)
    server = await asyncio.start_server(raw.serve, "127.0.0.1", 0, ssl=tls)
    raw.port = server.sockets[0].getsockname()[1]
    service = graph_service(f"{'https' if tls else 'http'}://127.0.0.1:{raw.port}")
    transport = Transport(
        [service], FixedTokens(), clock=SystemClock(), wire=aiohttp_wire(), jitter=lambda: 0.0
    )
    try:
        yield raw, transport, service.base_url
    finally:
        await transport.aclose()
        await asyncio.gather(*(task for task in raw.connections if task))
        server.close()
        await server.wait_closed()


def counting(asked: list[int], raw: Raw) -> Callable[[], Awaitable[None]]:
    async def permit() -> None:
        asked.append(len(raw.heads))

    return permit


async def test_a_connection_that_breaks_is_repeated_by_us_alone_and_each_time_with_a_permit() -> (
    None
):
    async with serving(OK, None, None, OK) as (raw, transport, base):
        asked: list[int] = []
        call = Call("GET", f"{base}/users/{MAILBOX}/messages/m")
        for _ in range(2):
            await transport.send(call, permit=counting(asked, raw))
        assert asked == [0, 1, 2, 3]
        assert len(raw.heads) == 4


async def test_a_send_on_a_breaking_connection_is_unknown_and_left_once() -> None:
    async with serving(None) as (raw, transport, base):
        call = a_send()
        call = Call(
            call.method,
            f"{base}/users/{MAILBOX}/messages/m/send",
            call_class=call.call_class,
            failpoint=call.failpoint,
        )
        with pytest.raises(Unknown):
            await transport.send(call, permit=counting([], raw))
        assert len(raw.heads) == 1


async def test_a_send_to_nobody_never_left() -> None:
    async with serving(OK) as (_, _, _):
        pass
    service = graph_service("http://127.0.0.1:9")
    transport = Transport([service], FixedTokens(), clock=SystemClock())
    call = a_send()
    with pytest.raises(Unreachable):
        await transport.send(
            Call(
                call.method,
                f"{service.base_url}/users/{MAILBOX}/messages/m/send",
                call_class=call.call_class,
                failpoint=call.failpoint,
            ),
            permit=counting([], Raw()),
        )
    await transport.aclose()


async def test_a_silent_server_is_given_up_at_the_deadline() -> None:
    async with serving(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n1") as (raw, transport, base):
        with pytest.raises(Unreachable):
            await transport.send(Call("GET", f"{base}/users/x", deadline_seconds=1.0))
        assert len(raw.heads) == 1


async def test_cookies_stay_behind_and_redirects_are_not_followed() -> None:
    moved = b"HTTP/1.1 302 Found\r\nLocation: /v1.0/elsewhere\r\nContent-Length: 0\r\n\r\n"
    async with serving(COOKIE, OK, moved) as (raw, transport, base):
        await transport.send(Call("GET", f"{base}/users/x"))
        await transport.send(Call("GET", f"{base}/users/x"))
        assert "cookie" not in raw.heads[1].lower()
        with pytest.raises(BadAnswer):
            await transport.send(Call("GET", f"{base}/users/x"))
        assert len(raw.heads) == 3


async def test_an_opaque_link_keeps_its_meaning_on_the_wire() -> None:
    async with serving(OK) as (raw, transport, base):
        link = f"{base}/users('{MAILBOX}')/x?$skiptoken=a%2Bb%20c%26d%253D%2F"
        await transport.send(Call("GET", link))
        sent = raw.heads[0].split(" ")[1]
        assert httpx.URL(f"http://x{sent}").params["$skiptoken"] == "a+b c&d%3D/"


async def test_odd_names_stay_one_segment_on_the_wire() -> None:
    async with serving(OK) as (raw, transport, base):
        graph = Graph(transport, graph_service(base))
        for name in ("guest#EXT#@contoso.com", "a/b?c&d@contoso.com", "o'hara+x@contoso.com"):
            await graph.user(name, select=())
            path = raw.heads[-1].split(" ")[1]
            assert [unquote(part) for part in path.split("/")] == ["", "v1.0", "users", name]


async def test_nothing_on_the_way_reads_a_proxy_from_the_environment(monkeypatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    async with serving(OK) as (raw, transport, base):
        await transport.send(Call("GET", f"{base}/users/x"))
        assert len(raw.heads) == 1


async def test_the_ca_bundle_of_the_settings_is_the_only_trust(tmp_path, monkeypatch) -> None:
    authority = trustme.CA()
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    async with serving(OK, tls=context) as (raw, _, base):
        service = graph_service(base)
        for trusted, heads in ((None, 0), (str(bundle), 1)):
            transport = Transport(
                [service], FixedTokens(), clock=SystemClock(), ca_bundle_file=trusted
            )
            call = Call("GET", f"{base}/users/x", deadline_seconds=60.0)
            try:
                if trusted:
                    await transport.send(call)
                else:
                    with pytest.raises(Unreachable, match=r"(?i)certificate.*after 1 attempt"):
                        await transport.send(call)
                assert len(raw.heads) == heads
            finally:
                await transport.aclose()


def test_a_bundle_that_is_none_names_the_setting(tmp_path) -> None:
    for content in (None, "no certificate"):
        file = tmp_path / "bundle.pem"
        if content:
            file.write_text(content)
        with pytest.raises(SettingInvalid, match="CA_BUNDLE_FILE"):
            trust_of(str(file))


class TestBounds:
    async def test_a_body_beyond_the_bound_is_refused_and_read_no_further(self) -> None:
        taken: list[int] = []

        async def pieces() -> AsyncIterator[bytes]:
            for number in range(100):
                taken.append(number)
                yield b"x" * 1000

        with pytest.raises(BadAnswer, match="larger"):
            await read_bounded(httpx.Response(200, content=pieces()), most=3500)
        assert len(taken) == 4

    async def test_a_body_within_the_bound_is_whole(self) -> None:
        assert await read_bounded(httpx.Response(200, content=b"x" * 10), most=10) == b"x" * 10
