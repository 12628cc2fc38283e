"""The runner repeats, survives errors, and stops."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any

import pytest
from structlog.testing import capture_logs

from kernel.clock import FrozenClock, SystemClock
from kernel.errors import Unavailable
from kernel.failpoints import Crash
from kernel.periodic import AsyncioRunner
from tests.conftest import NOON


class TestAsyncioRunner:
    async def test_calls_at_once_and_again_by_the_clock(self, clock: FrozenClock) -> None:
        calls: list[Any] = []
        enough = asyncio.Event()

        async def fn() -> None:
            calls.append(clock.now())
            if len(calls) == 3:
                enough.set()

        repeating = AsyncioRunner(clock)
        repeating.every(60, fn, name="reconcile")
        await asyncio.wait_for(enough.wait(), 5)
        await repeating.stop()
        assert calls[0] == NOON
        waits = [(b - a).total_seconds() for a, b in pairwise(calls)]
        assert all(57 <= wait <= 63 for wait in waits)

    async def test_what_is_raised_is_tried_again(self, clock: FrozenClock) -> None:
        calls = 0
        enough = asyncio.Event()

        async def fn() -> None:
            nonlocal calls
            calls += 1
            if calls == 2:
                enough.set()
            raise ValueError("not this time")

        repeating = AsyncioRunner(clock)
        repeating.every(60, fn, name="odd")
        await asyncio.wait_for(enough.wait(), 5)
        await repeating.stop()

    async def test_what_fails_time_and_again_is_told_once_and_so_is_its_end(
        self, clock: FrozenClock
    ) -> None:
        ends: list[Exception | None] = [
            None, Unavailable("away"), Unavailable("away"), Unavailable("odd"), None, None,
            Unavailable("odd"),
        ]  # fmt: skip
        enough = asyncio.Event()

        async def fn() -> None:
            end = ends.pop(0) if ends else None
            if not ends:
                enough.set()
            if end is not None:
                raise end

        with capture_logs() as told:
            repeating = AsyncioRunner(clock)
            repeating.every(60, fn, name="watch")
            await asyncio.wait_for(enough.wait(), 5)
            await repeating.stop()
        assert [(one["event"], one.get("error")) for one in told[:4]] == [
            ("call_failed", "away"),
            ("call_failed", "odd"),
            ("call_works_again", None),
            ("call_failed", "odd"),
        ]

    async def test_nothing_is_called_while_it_may_not_be_and_then_it_goes_on(
        self, clock: FrozenClock
    ) -> None:
        left_out, called = 0, asyncio.Event()

        def may_call() -> bool:
            nonlocal left_out
            left_out += 1
            return left_out == 1 or left_out > 3

        calls = []

        async def fn() -> None:
            calls.append(left_out)
            if len(calls) == 1:
                raise Unavailable("away")
            called.set()

        with capture_logs() as told:
            repeating = AsyncioRunner(clock, may_call=may_call)
            repeating.every(60, fn, name="watch")
            await asyncio.wait_for(called.wait(), 5)
            await repeating.stop()
        assert calls[:2] == [1, 4]
        # To be left out is no success.
        assert [one["event"] for one in told] == ["call_failed", "call_works_again"]

    async def test_stop_lets_the_call_under_way_end_and_waits_no_longer(self) -> None:
        began, ended = asyncio.Event(), asyncio.Event()

        async def fn() -> None:
            began.set()
            await asyncio.sleep(0.02)
            ended.set()

        repeating = AsyncioRunner(SystemClock())
        repeating.every(3600, fn, name="long")
        await began.wait()
        await asyncio.wait_for(repeating.stop(), 5)
        assert ended.is_set()

    async def test_stop_breaks_off_what_hangs(self) -> None:
        began, broken_off = asyncio.Event(), asyncio.Event()

        async def fn() -> None:
            began.set()
            try:
                await asyncio.Event().wait()
            finally:
                broken_off.set()

        repeating = AsyncioRunner(SystemClock())
        repeating.every(3600, fn, name="hanging")
        await began.wait()
        with capture_logs() as told:
            await asyncio.wait_for(repeating.stop(grace_seconds=0.01), 5)
        assert broken_off.is_set()
        assert [(one["event"], one["call"]) for one in told] == [("call_broken_off", "hanging")]

    async def test_a_crash_ends_it(self, clock: FrozenClock) -> None:
        async def fn() -> None:
            raise Crash("here")

        repeating = AsyncioRunner(clock)
        repeating.every(60, fn, name="dying")
        await asyncio.sleep(0)
        with pytest.raises(Crash):
            await repeating.stop()

    async def test_stopping_what_never_began_is_fine(self, clock: FrozenClock) -> None:
        await AsyncioRunner(clock).stop()
