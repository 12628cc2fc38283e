"""Carrying out tasks: claim, hand to the handler of the kind, write down how it ended.

What can come right by itself is tried again, at growing intervals, and says so after a day; what
cannot stops and needs a person. docs/errors.md says of each error which it is, and a test holds
that it is what happens here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import assert_never

from sqlalchemy import Connection

from kernel import claims
from kernel.clock import Clock
from kernel.database import Database
from kernel.errors import ApprovalWithdrawn, Bug, FenceLost, GuardError
from kernel.failpoints import failpoint
from kernel.log import get_logger
from kernel.tasks import COMMON_LANE, TRYING, Task, TaskCause, TaskReason, TaskState

CLAIM = failpoint("tasks.claim", "Tasks are claimed by a worker.")
RELEASE = failpoint("tasks.release", "The claims of a process that is dead are ended.")
LET_GO_ON = failpoint("tasks.released", "Tasks that need a person are let go on.")
FINISH = failpoint("tasks.finish", "The outcome of a task is written down.")

FIRST_WAIT_SECONDS = 5.0
LONGEST_WAIT_SECONDS = 3600.0
# An error that nobody expects may come from a race; what it comes from stays after so many tries.
MOST_UNEXPECTED = 5
AT_ONCE = 8
# A task that waited for its turn until less than this share of its claim was left is not begun.
LEAST_SHARE = 0.25

UNEXPECTED_HINT = "The log has the traceback; report it, then let the task go on."

log = get_logger("tasks")


@dataclass(frozen=True, slots=True)
class Done:
    """The effect is there."""

    result: str | None = None


@dataclass(frozen=True, slots=True)
class Again:
    """Not yet: try again at that moment, or by the back-off when none is given."""

    reason: str
    until: datetime | None = None
    cause: TaskCause = TaskCause.UNFINISHED
    error_code: str | None = None
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class NeedsPerson:
    """Only a person can go on from here; the hint says how."""

    reason: str
    hint: str | None = None
    cause: TaskCause = TaskCause.REFUSED
    error_code: str | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """The effect is no longer wanted; the reason is kept."""

    reason: str
    cause: TaskCause = TaskCause.WITHDRAWN
    error_code: str | None = None
    hint: str | None = None


TaskOutcome = Done | Again | NeedsPerson | Failed
Handler = Callable[[Task], Awaitable[TaskOutcome]]


class Workers:
    """Carries out the tasks of one lane with the handlers that wiring registered, a few at once."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        handlers: Mapping[str, Handler],
        *,
        lane: str = COMMON_LANE,
        claim_seconds: float = claims.CLAIM_SECONDS,
    ) -> None:
        self._lane = lane
        self._claim_seconds = claim_seconds
        self._database = database
        self._clock = clock
        self._handlers = dict(handlers)

    async def release_claims(self) -> int:
        """Free what a dead process was carrying out, in any lane, so that no claim is waited for.

        Only where no other process carries out tasks of these kinds.
        """
        kinds, now = list(self._handlers), self._clock.now()
        released = await self._database.write(
            lambda c: claims.release_claims(c, kinds, now=now), failpoint=RELEASE
        )
        if released:
            log.info("claims_released", tasks=released)
        return released

    async def run_due(
        self,
        *,
        kinds: Sequence[str] | None = None,
        shards: Sequence[int] | None = None,
        owner: str | None = None,
        limit: int = 100,
    ) -> int:
        """Carry out what is due now and return how many tasks were taken.

        An idle call writes nothing. Kinds without a handler are left to other processes.
        """
        wanted = [kind for kind in (kinds or self._handlers) if kind in self._handlers]
        now = self._clock.now()
        if not await self._database.read(
            lambda c: claims.any_due(
                c, now=now, lane=self._lane, kinds=wanted, shards=shards, owner=owner
            )
        ):
            return 0
        claimed = await self._database.write(
            lambda c: claims.claim(
                c,
                now=now,
                limit=limit,
                lane=self._lane,
                kinds=wanted,
                shards=shards,
                owner=owner,
                claim_seconds=self._claim_seconds,
            ),
            failpoint=CLAIM,
        )
        slots = asyncio.Semaphore(AT_ONCE)
        raised: list[BaseException] = []
        async with asyncio.TaskGroup() as group:
            for task in claimed:
                group.create_task(self._carry_out(task, slots, raised))
        if raised:
            raise raised[0]
        return len(claimed)

    async def _carry_out(
        self, task: Task, slots: asyncio.Semaphore, raised: list[BaseException]
    ) -> None:
        """Carry a task out and write down how it ended; what that raises is collected.

        A group would cancel the others, in the midst of what they are making; all of them end, so
        that nothing goes on behind the back of whoever called.
        """
        try:
            async with slots:
                outcome = await self._outcome_in_time(task)
            await self._database.write(lambda c: self._settle(c, task, outcome), failpoint=FINISH)
        except FenceLost:
            log.warning("task_passed_to_another_worker", task_id=task.id, kind=task.kind)
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - raised anew once all have ended.
            raised.append(error)

    async def _outcome_in_time(self, task: Task) -> TaskOutcome:
        """Work only while the claim lasts: after its end another worker may have the task."""
        now = self._clock.now()
        seconds_left = ((task.claimed_until or now) - now).total_seconds()
        if seconds_left < LEAST_SHARE * self._claim_seconds:
            return Again("The claim had nearly run out before its turn came.", now)
        try:
            async with asyncio.timeout(seconds_left):
                return await self._outcome(task)
        except TimeoutError:
            log.warning("task_took_too_long", task_id=task.id, kind=task.kind)
            return Again("It was not done before the claim ran out.")

    async def _outcome(self, task: Task) -> TaskOutcome:
        try:
            return await self._handlers[task.kind](task)
        except Exception as error:
            # Only what nobody expected, twice running, counts towards the tries of such an error.
            attempts = task.attempts if task.cause is TaskCause.UNEXPECTED else 1
            outcome = outcome_of(error, attempts=attempts)
            about = {"task_id": task.id, "kind": task.kind, "error": str(error)}
            if isinstance(error, GuardError) and not isinstance(error, Bug):
                log.warning("task_did_not_work", error_code=error.code, **about)
            else:
                log.warning("task_raised", exc_info=error, **about)
            return outcome

    def _settle(self, connection: Connection, task: Task, outcome: TaskOutcome) -> None:
        match outcome:
            case Done(result):
                claims.finish(connection, task, result=result)
            case Again():
                self._put_back(connection, task, outcome)
            case NeedsPerson():
                # A right that is given, or a secret that is renewed, heals what it had stopped:
                # nobody may have to know that a revert waits for it.
                later = self._clock.now() + timedelta(seconds=LONGEST_WAIT_SECONDS)
                state, why = TaskState.NEEDS_PERSON, _explained(outcome)
                claims.stop(connection, task, state, why, look_again_at=later)
            case Failed():
                claims.stop(connection, task, TaskState.FAILED, _explained(outcome))
            case _:
                assert_never(outcome)

    def _put_back(self, connection: Connection, task: Task, outcome: Again) -> None:
        now, why = self._clock.now(), _explained(outcome)
        not_before = outcome.until or now + timedelta(seconds=back_off(task.attempts))
        claims.put_back(connection, task, why, not_before=not_before, now=now)
        if task.is_overdue(now) and outcome.cause in TRYING:
            log.error(
                "task_overdue",
                task_id=task.id,
                kind=task.kind,
                owner=task.owner,
                cause=outcome.cause.value,
                attempts=task.attempts,
            )


def outcome_of(error: Exception, *, attempts: int) -> Again | NeedsPerson | Failed:
    """Return how a task ends whose handler raised this at that attempt.

    Decided by the error's class alone: what it says is for people.
    """
    if not isinstance(error, GuardError):
        said = f"It failed by a fault of our own ({type(error).__name__})."
        if attempts < MOST_UNEXPECTED:
            return Again(said, cause=TaskCause.UNEXPECTED)
        return NeedsPerson(said, UNEXPECTED_HINT, cause=TaskCause.UNEXPECTED)
    if isinstance(error, ApprovalWithdrawn):
        return Failed(error.message, error_code=error.code)
    if isinstance(error, FenceLost):
        return Again(error.message, error_code=error.code)
    if error.transient:
        cause = TaskCause.THROTTLED if error.asks_to_wait else TaskCause.UNAVAILABLE
        until = getattr(error, "until", None)
        return Again(error.message, until, cause=cause, error_code=error.code, hint=error.hint)
    if isinstance(error, Bug):
        said, hint = f"By a fault of our own: {error.message}", error.hint or UNEXPECTED_HINT
        return NeedsPerson(said, hint, cause=TaskCause.UNEXPECTED, error_code=error.code)
    return NeedsPerson(error.message, error.hint, error_code=error.code)


def _explained(outcome: Again | NeedsPerson | Failed) -> TaskReason:
    return TaskReason(outcome.cause, outcome.reason, outcome.error_code, outcome.hint)


def back_off(attempts: int) -> float:
    """Return the seconds to wait after that many attempts: doubling, at most an hour."""
    return float(min(FIRST_WAIT_SECONDS * 2 ** min(attempts - 1, 20), LONGEST_WAIT_SECONDS))
