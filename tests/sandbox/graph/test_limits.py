"""Four at once, ten thousand in ten minutes, for one application on one mailbox."""

from __future__ import annotations

import asyncio

import pytest

from kernel.clock import FrozenClock
from sandbox import people
from sandbox.graph.limits import Limiter, Limits
from sandbox.graph.problems import Problem


async def test_the_fifth_request_at_once_is_throttled(sandbox, graph) -> None:
    sandbox.graph.latency_seconds = 0.2
    path = f"users/{people.BOB.object_id}/messages?$top=1"
    answers = await asyncio.gather(*(graph("GET", path) for _ in range(6)))
    throttled = [one for one in answers if one.status_code == 429]
    assert throttled
    assert throttled[0].json()["error"]["code"] == "ApplicationThrottled"
    assert throttled[0].headers["retry-after"] == "5"
    sandbox.graph.limiter.limits.enabled = False
    answers = await asyncio.gather(*(graph("GET", path) for _ in range(6)))
    assert {one.status_code for one in answers} == {200}


def test_the_window_slides(clock: FrozenClock) -> None:
    limiter = Limiter(clock, Limits(requests=2))
    for _ in range(2):
        limiter.enter("app", "box")
        limiter.leave("app", "box")
    with pytest.raises(Problem, match="limit"):
        limiter.enter("app", "box")
    limiter.leave("app", "box")
    limiter.enter("app", "other")
    clock.advance(601)
    limiter.enter("app", "box")
