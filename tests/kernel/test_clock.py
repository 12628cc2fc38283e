"""Clocks say the time in UTC; the frozen one moves only when it is told to."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, timezone

from kernel.clock import FrozenClock, SystemClock
from tests.conftest import NOON


def test_the_system_clock_is_aware_and_in_utc() -> None:
    assert SystemClock().now().tzinfo is UTC


async def test_the_system_clock_sleeps_and_its_monotonic_seconds_rise() -> None:
    clock = SystemClock()
    before = clock.monotonic()
    await clock.sleep(0.01)
    assert clock.monotonic() - before >= 0.009


def test_the_frozen_clock_stands_until_it_is_advanced() -> None:
    clock = FrozenClock(NOON)
    before = clock.monotonic()
    assert clock.now() == clock.now() == NOON
    clock.advance(1.5)
    assert clock.now() == NOON + timedelta(seconds=1.5)
    assert clock.monotonic() - before == 1.5


def test_the_frozen_clock_speaks_utc_whatever_it_was_given() -> None:
    clock = FrozenClock(datetime(2026, 11, 23, 14, 0, tzinfo=timezone(timedelta(hours=2))))
    assert clock.now() == NOON
    assert clock.now().tzinfo is UTC


async def test_sleeping_on_the_frozen_clock_advances_it_and_lets_others_run() -> None:
    clock = FrozenClock(NOON)
    ran: list[str] = []

    async def other() -> None:
        ran.append("other")

    task = asyncio.create_task(other())
    await clock.sleep(3600)
    assert ran == ["other"]
    assert clock.now() == NOON + timedelta(hours=1)
    await task
