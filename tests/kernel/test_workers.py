"""Workers hand tasks to handlers and write down how they ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from kernel import claims, tasks
from kernel.clock import FrozenClock, SystemClock
from kernel.database import Database
from kernel.errors import ApprovalWithdrawn, Bug, FenceLost, NotFound, Unavailable
from kernel.failpoints import Crash, CrashAt, Recorder, failpoint
from kernel.tasks import Task, TaskCause, TaskState
from kernel.workers import (
    AT_ONCE,
    CLAIM,
    FINISH,
    LEAST_SHARE,
    LONGEST_WAIT_SECONDS,
    MOST_UNEXPECTED,
    Again,
    Done,
    Failed,
    Handler,
    NeedsPerson,
    Workers,
    back_off,
)
from tests.conftest import NOON

STEP = failpoint("tests.worker", "A task of the workers' tests.")


def add(database: Database, key: str = "k1", **changes: Any) -> None:
    given = {"kind": "revert", "payload": {}, "owner": "d1", "now": NOON, **changes}
    database.write_now(lambda c: tasks.add(c, key=key, **given), failpoint=STEP)


def held(database: Database, key: str = "k1") -> Task:
    task = database.read_now(lambda c: tasks.find(c, kind="revert", key=key))
    assert task is not None
    return task


def answering(outcome: Any) -> Handler:
    async def handler(task: Task) -> Any:
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    return handler


SOON = NOON + timedelta(seconds=33)
BACK_OFF = NOON + timedelta(seconds=5)
LATER = NOON + timedelta(seconds=LONGEST_WAIT_SECONDS)


@pytest.mark.parametrize(
    ("outcome", "state", "result", "not_before"),
    [
        (Done("made"), TaskState.DONE, "made", NOON),
        (Done(), TaskState.DONE, None, NOON),
        (NeedsPerson("no right to write 3"), TaskState.NEEDS_PERSON, "no right to write 3", LATER),
        (Failed("gone"), TaskState.FAILED, "gone", NOON),
        (Again("busy", SOON), TaskState.QUEUED, "busy", SOON),
        (Again("busy"), TaskState.QUEUED, "busy", BACK_OFF),
        (ApprovalWithdrawn("withdrawn"), TaskState.FAILED, "withdrawn", NOON),
        (FenceLost("passed on"), TaskState.QUEUED, "passed on", BACK_OFF),
        (Unavailable("down"), TaskState.QUEUED, "down", BACK_OFF),
        (Bug("lost count"), TaskState.NEEDS_PERSON, "By a fault of our own: lost count", LATER),
        (NotFound("no such thing"), TaskState.NEEDS_PERSON, "no such thing", LATER),
        (
            ValueError("odd"),
            TaskState.QUEUED,
            "It failed by a fault of our own (ValueError).",
            BACK_OFF,
        ),
        (
            TimeoutError("slow"),
            TaskState.QUEUED,
            "It failed by a fault of our own (TimeoutError).",
            BACK_OFF,
        ),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_each_outcome_is_written_down(
    database: Database,
    clock: FrozenClock,
    outcome: Any,
    state: str,
    result: str | None,
    not_before: Any,
) -> None:
    add(database)
    workers = Workers(database, clock, {"revert": answering(outcome)})
    assert await workers.run_due() == 1
    task = held(database)
    assert (task.state, task.result, task.not_before) == (state, result, not_before)


async def test_an_error_that_knows_until_when_to_wait_decides_the_wait(
    database: Database, clock: FrozenClock
) -> None:
    class Throttled(Unavailable):
        until = SOON

    add(database)
    await Workers(database, clock, {"revert": answering(Throttled("slow down"))}).run_due()
    assert held(database).not_before == SOON


@pytest.mark.parametrize(
    ("error", "is_traced"), [(Unavailable("down"), False), (Bug("odd"), True), (ValueError(), True)]
)
async def test_only_what_nobody_expects_is_logged_with_its_traceback(
    database: Database, clock: FrozenClock, error: Exception, is_traced: bool
) -> None:
    add(database)
    with capture_logs() as logged:
        await Workers(database, clock, {"revert": answering(error)}).run_due()
    assert ["exc_info" in one for one in logged] == [is_traced]


def test_the_back_off_doubles_up_to_an_hour() -> None:
    assert [back_off(n) for n in (1, 2, 3, 4)] == [5, 10, 20, 40]
    assert back_off(100_000) == 3600


async def test_the_handler_sees_that_an_earlier_attempt_was_made(
    database: Database, clock: FrozenClock
) -> None:
    seen: list[tuple[int, str]] = []

    async def handler(task: Task) -> Done | Again:
        seen.append((task.attempts, task.token))
        return Done() if task.attempts == 2 else Again("once more")

    add(database, token="t")
    workers = Workers(database, clock, {"revert": handler})
    await workers.run_due()
    clock.advance(5)
    await workers.run_due()
    assert seen == [(1, "t"), (2, "t")]


async def test_an_idle_call_writes_nothing(
    open_database: Callable[..., Database], clock: FrozenClock
) -> None:
    trace = Recorder()
    workers = Workers(open_database(trace), clock, {"revert": answering(Done())})
    assert await workers.run_due() == 0
    assert trace.reached == []


async def test_kinds_without_a_handler_are_left_to_other_processes(
    database: Database, clock: FrozenClock
) -> None:
    add(database)
    assert await Workers(database, clock, {"notify": answering(Done())}).run_due() == 0
    assert await Workers(database, clock, {}).run_due(kinds=["revert"]) == 0
    assert held(database).state == TaskState.QUEUED


async def test_only_a_few_tasks_are_carried_out_at_once(
    database: Database, clock: FrozenClock
) -> None:
    under_way, most = 0, 0

    async def handler(task: Task) -> Done:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.001)
        under_way -= 1
        return Done()

    for number in range(3 * AT_ONCE):
        add(database, f"k{number}")
    assert await Workers(database, clock, {"revert": handler}).run_due() == 3 * AT_ONCE
    assert most == AT_ONCE


async def test_a_late_worker_changes_nothing(database: Database, clock: FrozenClock) -> None:
    """Its claim ran out while it worked, and another worker ended the task."""

    async def slow(task: Task) -> Done:
        clock.advance(claims.CLAIM_SECONDS)
        await Workers(database, clock, {"revert": answering(Done("by the other"))}).run_due()
        return Done("too late")

    add(database)
    await Workers(database, clock, {"revert": slow}).run_due()
    assert held(database).result == "by the other"


async def test_a_task_whose_claim_is_nearly_over_is_not_begun(
    database: Database, clock: FrozenClock
) -> None:
    begun: list[str] = []
    every_slot_is_taken = asyncio.Event()

    async def slow(task: Task) -> Done:
        begun.append(task.key)
        if len(begun) == AT_ONCE:
            clock.advance((1 - LEAST_SHARE) * claims.CLAIM_SECONDS + 1)
            every_slot_is_taken.set()
        await every_slot_is_taken.wait()
        return Done()

    keys = [f"k{number}" for number in range(AT_ONCE + 1)]
    for key in keys:
        add(database, key)
    workers = Workers(database, clock, {"revert": slow})
    await workers.run_due()
    [left] = set(keys) - set(begun)
    assert {key: held(database, key).state for key in keys} == {
        **dict.fromkeys(begun, TaskState.DONE),
        left: TaskState.QUEUED,
    }
    await workers.run_due()
    assert held(database, left).state == TaskState.DONE


async def test_a_handler_is_stopped_when_its_claim_ends(database: Database) -> None:
    stopped = asyncio.Event()

    async def endless(task: Task) -> Done:
        try:
            await asyncio.sleep(60)
        finally:
            stopped.set()
        return Done()

    clock = SystemClock()
    add(database, now=clock.now())
    await Workers(database, clock, {"revert": endless}, claim_seconds=1.0).run_due()
    assert stopped.is_set()
    assert held(database).state == TaskState.QUEUED


@pytest.mark.parametrize("point", [f"{CLAIM}:after-commit", f"{FINISH}:before-commit"])
async def test_after_a_crash_the_task_is_taken_up_again_as_a_second_attempt(
    open_database: Callable[..., Database], clock: FrozenClock, point: str
) -> None:
    dying = open_database(CrashAt(point))
    add(dying)
    with pytest.raises(Crash):
        await Workers(dying, clock, {"revert": answering(Done())}).run_due()
    database = open_database()
    workers = Workers(database, clock, {"revert": answering(Done())})
    assert await workers.run_due() == 0
    clock.advance(claims.CLAIM_SECONDS)
    assert await workers.run_due() == 1
    assert (held(database).state, held(database).attempts) == (TaskState.DONE, 2)


async def test_nothing_goes_on_behind_the_back_of_a_call_that_raised(
    open_database: Callable[..., Database], clock: FrozenClock
) -> None:
    ended: list[str] = []

    async def handler(task: Task) -> Done:
        await asyncio.sleep(0 if task.key == "k0" else 0.05)
        ended.append(task.key)
        return Done()

    dying = open_database(CrashAt(f"{FINISH}:before-commit"))
    add(dying, "k0")
    add(dying, "k1")
    with pytest.raises(Crash):
        await Workers(dying, clock, {"revert": handler}).run_due()
    assert ended == ["k0", "k1"]


async def test_released_claims_are_carried_out_at_once_as_a_second_attempt(
    open_database: Callable[..., Database], clock: FrozenClock
) -> None:
    dying = open_database(CrashAt(f"{CLAIM}:after-commit"))
    add(dying)
    with pytest.raises(Crash):
        await Workers(dying, clock, {"revert": answering(Done())}).run_due()
    workers = Workers(open_database(), clock, {"revert": answering(Done())})
    assert await workers.release_claims() == 1
    assert await workers.run_due() == 1
    assert held(open_database()).attempts == 2


class TestWhatCannotComeRightByItself:
    async def test_it_stops_at_once_with_code_and_mend(
        self, database: Database, clock: FrozenClock
    ) -> None:
        add(database)
        error = NotFound("No such row.", hint="Make one.")
        await Workers(database, clock, {"revert": answering(error)}).run_due()
        found = held(database)
        assert (found.state, found.cause) == (TaskState.NEEDS_PERSON, TaskCause.REFUSED)
        assert (found.result, found.hint) == ("No such row.", "Make one.")
        assert found.error_code == "not-found"

    async def test_what_was_refused_heals_by_itself_once_it_is_mended(
        self, database: Database, clock: FrozenClock
    ) -> None:
        add(database)
        await Workers(database, clock, {"revert": answering(NotFound("No right."))}).run_due()
        mended = Workers(database, clock, {"revert": answering(Done("made"))})
        assert await mended.run_due() == 0
        clock.advance(LONGEST_WAIT_SECONDS)
        assert await mended.run_due() == 1
        assert held(database).state is TaskState.DONE

    async def test_what_waited_long_for_a_service_is_not_stopped_by_one_odd_error(
        self, database: Database, clock: FrozenClock
    ) -> None:
        add(database)
        for error in (*[Unavailable("down")] * (MOST_UNEXPECTED + 2), ValueError("odd")):
            await Workers(database, clock, {"revert": answering(error)}).run_due()
            clock.advance(LONGEST_WAIT_SECONDS)
        assert held(database).state is TaskState.QUEUED

    async def test_what_nobody_expects_stops_after_a_few_tries(
        self, database: Database, clock: FrozenClock
    ) -> None:
        add(database)
        workers = Workers(database, clock, {"revert": answering(ValueError("odd"))})
        for _ in range(MOST_UNEXPECTED):
            assert held(database).state is TaskState.QUEUED
            assert await workers.run_due() == 1
            clock.advance(LONGEST_WAIT_SECONDS)
        found = held(database)
        assert (found.state, found.cause) == (TaskState.NEEDS_PERSON, TaskCause.UNEXPECTED)
        assert found.hint
        assert await workers.run_due() == 0

    @pytest.mark.parametrize("moment", ["before-commit", "after-commit"])
    async def test_a_crash_while_it_is_written_down_ends_alike(
        self, open_database: Callable[..., Database], clock: FrozenClock, moment: str
    ) -> None:
        handlers = {"revert": answering(NotFound("No such row.", hint="Make one."))}
        dying = open_database(CrashAt(f"{FINISH}:{moment}"))
        add(dying)
        with pytest.raises(Crash):
            await Workers(dying, clock, handlers).run_due()
        database = open_database()
        clock.advance(claims.CLAIM_SECONDS)
        await Workers(database, clock, handlers).run_due()
        found = held(database)
        assert (found.state, found.hint) == (TaskState.NEEDS_PERSON, "Make one.")


class TestWhatIsTriedInVain:
    async def test_after_a_day_it_says_so_and_is_still_tried(
        self, database: Database, clock: FrozenClock
    ) -> None:
        add(database)
        workers = Workers(database, clock, {"revert": answering(Unavailable("away"))})
        with capture_logs() as told:
            while not held(database).is_overdue(clock.now()):
                assert await workers.run_due() == 1
                assert not any(one["event"] == "task_overdue" for one in told)
                clock.advance(LONGEST_WAIT_SECONDS)
            assert await workers.run_due() == 1
        [said] = [one for one in told if one["event"] == "task_overdue"]
        assert (said["owner"], said["cause"]) == ("d1", "unavailable")
        assert held(database).not_before <= clock.now() + timedelta(seconds=LONGEST_WAIT_SECONDS)

    async def test_what_rests_is_not(self, database: Database, clock: FrozenClock) -> None:
        add(database)
        rests = Again("paused", cause=TaskCause.RESTING)
        workers = Workers(database, clock, {"revert": answering(rests)})
        for _ in range(50):
            await workers.run_due()
            clock.advance(LONGEST_WAIT_SECONDS)
        assert not held(database).is_overdue(clock.now())
