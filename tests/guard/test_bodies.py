"""Bodies that are coming in are bounded together, and the one that began first makes room."""

from __future__ import annotations

import asyncio
from typing import Any

from guard.bodies import Bodies
from kernel.clock import FrozenClock
from tests.guard.assembled import a_receiver
from tests.guard.builders import body


class Dripping:
    """A delivery with a good key whose body begins and does not end."""

    def __init__(self, part: bytes) -> None:
        self._part = part
        self.status: int | None = None

    async def receive(self) -> Any:
        if not self._part:
            await asyncio.sleep(60)
        part, self._part = self._part, b""
        return {"type": "http.request", "body": part, "more_body": True}

    async def send(self, message: Any) -> None:
        self.status = message.get("status", self.status)


def a_scope() -> dict[str, Any]:
    headers = [(b"x-guard-key", b"secret-key")]
    return {"type": "http", "method": "POST", "query_string": b"", "headers": headers}


async def test_the_oldest_unfinished_body_makes_room_and_a_whole_one_is_answered(
    clock: FrozenClock,
) -> None:
    receiver = a_receiver(clock)
    receiver.webhook._bodies = Bodies(10_000)
    dripping = [Dripping(b"{" + b" " * 3_999) for _ in range(4)]
    running = []
    for one in dripping:
        running.append(asyncio.create_task(receiver.webhook(a_scope(), one.receive, one.send)))
        await asyncio.sleep(0.01)
    assert [one.status for one in dripping] == [503, 503, None, None]
    answer = await receiver.post(body({"emailaddress": "ANNA@contoso.com"}))
    assert answer.status == 200
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)


async def test_what_came_whole_or_was_given_up_takes_no_room() -> None:
    bodies = Bodies(10)
    for _ in range(100):
        one = bodies.begin(asyncio.timeout(1))
        bodies.keep(one, b"12345678")
        bodies.end(one)
        bodies.end(one)
    last = bodies.begin(asyncio.timeout(1))
    bodies.keep(last, b"1234567890")
    assert last.parts == [b"1234567890"]
