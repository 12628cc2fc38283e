"""A load generator: prepared requests over kept connections, little Python for each of them.

It runs in a process of its own, pinned to the core that the server does not use.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Measured:
    """What one run saw: answers per second, latencies in milliseconds, answers by status."""

    per_second: float
    p50_ms: float
    p99_ms: float
    statuses: dict[str, int]


class _Connection(asyncio.Protocol):
    def __init__(self, run: _Run) -> None:
        self._run = run
        self._sent_at = 0.0
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self.send_next()

    def send_next(self) -> None:
        request = next(self._run.requests, None)
        if request is None or time.perf_counter() > self._run.until:
            self._transport.close()  # type: ignore[attr-defined]
            self._run.left -= 1
            if self._run.left == 0:
                self._run.done.set_result(None)
            return
        self._sent_at = time.perf_counter()
        self._transport.write(request)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found or len(body) < _length(head):
            return
        self._buffer = b""
        self._run.latencies.append(time.perf_counter() - self._sent_at)
        self._run.statuses[head[9:12].decode()] += 1
        self.send_next()

    def connection_lost(self, error: Exception | None) -> None:
        if error is not None and not self._run.done.done():
            self._run.done.set_exception(error)


def _length(head: bytes) -> int:
    lowered = head.lower()
    at = lowered.find(b"content-length:")
    return int(lowered[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0


class _Run:
    def __init__(self, requests: Iterator[bytes], connections: int, seconds: float) -> None:
        self.requests = requests
        self.until = time.perf_counter() + seconds
        self.latencies: list[float] = []
        self.statuses: Counter[str] = Counter()
        self.left = connections
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()


async def drive(
    port: int, requests: Iterator[bytes], *, connections: int = 32, seconds: float = 4.0
) -> Measured:
    """Send the requests over that many connections for that long, and return what was seen."""
    run = _Run(requests, connections, seconds)
    began = time.perf_counter()
    loop = asyncio.get_running_loop()
    for _ in range(connections):
        await loop.create_connection(lambda: _Connection(run), "127.0.0.1", port)
    await run.done
    took = time.perf_counter() - began
    ordered = sorted(run.latencies) or [0.0]
    return Measured(
        per_second=len(run.latencies) / took,
        p50_ms=ordered[len(ordered) // 2] * 1000,
        p99_ms=ordered[int(len(ordered) * 0.99)] * 1000,
        statuses=dict(run.statuses),
    )


def post(path: str, key: str, body: bytes) -> bytes:
    """Return the bytes of one POST of a JSON body with the webhook key."""
    return (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"x-guard-key: {key}\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body


def main() -> None:
    """Run as a process: a JSON line of options in, a JSON line of figures out."""
    from tests.benchmarks.deliveries import distinct

    options = json.loads(sys.stdin.readline())
    if options.get("core") is not None:
        os.sched_setaffinity(0, {options["core"]})
    if options["kind"] == "nothing":
        request = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
        requests: Iterator[bytes] = iter(lambda: request, None)
    else:
        prepared = [
            post("/webhooks/dataverse", options["key"], body)
            for body in distinct(options["first"], options["count"])
        ]
        requests = iter(prepared)
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        measured = runner.run(drive(options["port"], requests, seconds=options["seconds"]))
    sys.stdout.write(json.dumps(asdict(measured)) + "\n")


if __name__ == "__main__":
    main()
