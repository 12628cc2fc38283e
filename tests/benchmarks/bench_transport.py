"""What one GET of an empty delta page costs the client: three ways, interleaved, as ratios.

httpx's own pool, httpx over aiohttp (what `cloud` uses), and the whole transport on top of it with
its budget, permit, token and access record. The server runs in a process of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import statistics
import time
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection

import httpx

from cloud.call import Call
from cloud.origins import graph_service
from cloud.tokens import FixedTokens
from cloud.transport import Transport
from cloud.wire import aiohttp_wire
from kernel.clock import SystemClock

IN_FLIGHT = 32
REQUESTS = 1_000
ROUNDS = 3
MAILBOXES = 64

_BODY = (
    b'{"@odata.context":"x","value":[],"@odata.deltaLink":"http://h/v1.0/users/x?$deltatoken=y"}'
)
_ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nrequest-id: abc\r\n"
    b"Content-Length: %d\r\n\r\n%s" % (len(_BODY), _BODY)
)

Get = Callable[[str], Awaitable[object]]


class _EmptyDelta(asyncio.Protocol):
    """Answers every request with an empty page; requests have no bodies."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._rest = b""

    def data_received(self, data: bytes) -> None:
        heads = (self._rest + data).split(b"\r\n\r\n")
        self._rest = heads.pop()
        if heads:
            self._transport.write(_ANSWER * len(heads))  # type: ignore[attr-defined]


def _serve(pipe: Connection) -> None:
    async def run() -> None:
        server = await asyncio.get_running_loop().create_server(_EmptyDelta, "127.0.0.1", 0)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(run())


async def _permit() -> None:
    """Allow."""


async def _measure(get: Get, base: str) -> tuple[float, float]:
    """Return CPU milliseconds per request, and requests per second."""
    urls = [f"{base}/users/mailbox-{n % MAILBOXES}/messages/delta" for n in range(REQUESTS)]
    queue = iter(urls)

    async def worker() -> None:
        for url in queue:
            await get(url)

    began, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(worker() for _ in range(IN_FLIGHT)))
    seconds = time.perf_counter() - began
    return (time.process_time() - cpu) * 1000 / REQUESTS, REQUESTS / seconds


async def _compare(port: int) -> dict[str, list[tuple[float, float]]]:
    base = f"http://127.0.0.1:{port}/v1.0"
    limits = httpx.Limits(max_connections=256)
    service = graph_service(f"http://127.0.0.1:{port}")
    transport = Transport([service], FixedTokens(), clock=SystemClock(), wire=aiohttp_wire())
    found: dict[str, list[tuple[float, float]]] = {}
    async with (
        httpx.AsyncClient(trust_env=False, limits=limits) as own_pool,
        httpx.AsyncClient(trust_env=False, transport=aiohttp_wire()) as over_aiohttp,
    ):

        async def whole(url: str) -> object:
            return await transport.send(Call("GET", url), permit=_permit)

        ways: dict[str, Get] = {
            "httpx, own pool": own_pool.get,
            "httpx over aiohttp": over_aiohttp.get,
            "the whole transport": whole,
        }
        for round_number in range(ROUNDS + 1):
            for name, get in ways.items():
                measured = await _measure(get, base)
                if round_number:  # The first round opens the connections.
                    found.setdefault(name, []).append(measured)
    await transport.aclose()
    return found


def main() -> None:
    """Print CPU per request and the ratio to httpx's own pool."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    server = context.Process(target=_serve, args=(theirs,), daemon=True)
    server.start()
    try:
        found = asyncio.run(_compare(ours.recv()))
    finally:
        server.terminate()
        server.join()
    print(f"{IN_FLIGHT} in flight, {REQUESTS} requests, medians of {ROUNDS} rounds")
    basis = statistics.median(cpu for cpu, _ in found["httpx, own pool"])
    for name, rounds in found.items():
        cpu = statistics.median(cpu for cpu, _ in rounds)
        rate = statistics.median(rate for _, rate in rounds)
        print(f"{name:22} {cpu:6.2f} ms CPU  {rate:7.0f} req/s  {basis / cpu:5.1f} x less CPU")


if __name__ == "__main__":
    main()
