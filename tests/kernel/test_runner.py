"""Shards have one holder at a time; the runner repeats, survives errors, and stops."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from structlog.testing import capture_logs

from kernel import runner
from kernel.clock import FrozenClock, SystemClock
from kernel.database import Database
from kernel.errors import FenceLost, Unavailable
from kernel.failpoints import Crash, step
from kernel.runner import SHARDS, AsyncioRunner, Lease, shard_of
from tests.conftest import NOON

STEP = step("tests.shard", "A shard of the storage tests.")
EXPIRED = NOON + timedelta(seconds=runner.LEASE_SECONDS)
BEFORE = EXPIRED - timedelta(seconds=1)


def claim(database: Database, holder: str, **changes: Any) -> list[Lease]:
    given = {"now": NOON, **changes}
    return database.write_now(lambda c: runner.claim_shards(c, holder=holder, **given), step=STEP)


def heartbeat(database: Database, holder: str, now: Any) -> list[Lease]:
    return database.write_now(lambda c: runner.heartbeat(c, holder=holder, now=now), step=STEP)


def check(database: Database, lease: Lease) -> None:
    database.write_now(lambda c: runner.check_fence(c, lease), step=STEP)


ALL = [Lease(number, 1) for number in range(SHARDS)]


def test_a_record_has_one_shard_for_ever_whatever_its_case() -> None:
    assert shard_of("6F9619FF-8B86-D011-B42D-00C04FC964FF") == 6
    assert shard_of("6f9619ff-8b86-d011-b42d-00c04fc964ff") == 6
    assert {shard_of(f"record-{n}") for n in range(1000)} == set(range(SHARDS))


def test_the_first_holder_gets_every_shard(database: Database) -> None:
    assert claim(database, "a") == ALL
    assert claim(database, "b") == []
    assert database.read_now(lambda c: runner.holders(c, now=NOON)) == ["a"]


def test_wanted_shards_alone_are_claimed(database: Database) -> None:
    assert claim(database, "a", wanted=[3, 5]) == [Lease(3, 1), Lease(5, 1)]
    assert claim(database, "b", wanted=[5, 6]) == [Lease(6, 1)]


def test_the_fence_stays_while_the_holder_stays(database: Database) -> None:
    claim(database, "a")
    assert claim(database, "a", now=BEFORE) == ALL
    assert heartbeat(database, "a", BEFORE) == ALL
    # Its lease ran out, but nobody came: it goes on under the same fence.
    assert claim(database, "a", now=EXPIRED + timedelta(hours=1)) == ALL


def test_a_heartbeat_lengthens_the_lease(database: Database) -> None:
    claim(database, "a")
    heartbeat(database, "a", BEFORE)
    assert claim(database, "b", now=EXPIRED) == []


def test_a_lease_that_ran_out_passes_on_with_a_higher_fence(database: Database) -> None:
    (late,) = claim(database, "a", wanted=[3])
    check(database, late)
    (taken,) = claim(database, "b", wanted=[3], now=EXPIRED)
    assert taken == Lease(3, 2)
    check(database, taken)
    with pytest.raises(FenceLost):
        check(database, late)
    assert heartbeat(database, "a", EXPIRED) == []
    assert database.read_now(lambda c: runner.holders(c, now=EXPIRED)) == ["b"]


def test_a_heartbeat_does_not_revive_a_lease_that_ran_out(database: Database) -> None:
    claim(database, "a")
    assert heartbeat(database, "a", EXPIRED) == []


def test_released_shards_are_free_at_once(database: Database) -> None:
    claim(database, "a")
    database.write_now(lambda c: runner.release(c, holder="a", now=NOON), step=STEP)
    assert database.read_now(lambda c: runner.holders(c, now=NOON)) == []
    assert claim(database, "b") == [Lease(number, 2) for number in range(SHARDS)]


def test_a_shard_that_nobody_ever_held_has_no_valid_fence(database: Database) -> None:
    with pytest.raises(FenceLost):
        check(database, Lease(3, 0))


def test_two_processes_that_claim_at_once_share_no_shard(open_database: Any) -> None:
    databases = {"a": open_database(), "b": open_database()}
    together = threading.Barrier(2)
    claimed: dict[str, list[Lease]] = {}

    def fn(holder: str) -> None:
        together.wait()
        claimed[holder] = claim(databases[holder], holder)

    threads = [threading.Thread(target=fn, args=(holder,)) for holder in databases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted([len(claimed["a"]), len(claimed["b"])]) == [0, SHARDS]


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
