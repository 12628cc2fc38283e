"""Carrying out tasks: claim, hand to the handler of the kind, write down how it ended."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import assert_never

from sqlalchemy import Connection

from kernel import work
from kernel.clock import Clock
from kernel.database import Database
from kernel.errors import ApprovalWithdrawn, Bug, FenceLost, GuardError
from kernel.failpoints import step
from kernel.log import get_logger
from kernel.work import Task

CLAIM = step("work.claim", "Tasks are claimed by a worker.")
RELEASE = step("work.release", "The claims of a process that is dead are ended.")
FINISH = step("work.finish", "The outcome of a task is written down.")

FIRST_WAIT_SECONDS = 5.0
LONGEST_WAIT_SECONDS = 3600.0
AT_ONCE = 8
# A task that waited for its turn until less than this share of its claim was left is not begun.
LEAST_SHARE = 0.25

log = get_logger("work")


@dataclass(frozen=True, slots=True)
class Done:
    """The effect is there."""

    result: str | None = None


@dataclass(frozen=True, slots=True)
class Again:
    """Not yet: try again at that moment, or by the back-off when none is given."""

    reason: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class NeedsPerson:
    """Only a person can go on from here."""

    reason: str


@dataclass(frozen=True, slots=True)
class Failed:
    """The effect will not come; the reason is kept."""

    reason: str


Outcome = Done | Again | NeedsPerson | Failed
Handler = Callable[[Task], Awaitable[Outcome]]


class Workers:
    """Carries out tasks with the handlers that wiring registered, a few at once."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        handlers: Mapping[str, Handler],
        *,
        claim_seconds: float = work.CLAIM_SECONDS,
    ) -> None:
        self._claim_seconds = claim_seconds
        self._database = database
        self._clock = clock
        self._handlers = dict(handlers)

    async def release_claims(self) -> int:
        """Free what a dead process was carrying out, so that it needn't wait for its claims.

        Only where no other process carries out tasks of these kinds.
        """
        kinds, now = list(self._handlers), self._clock.now()
        released = await self._database.write(
            lambda c: work.release_claims(c, kinds, now=now), step=RELEASE
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
            lambda c: work.any_due(c, now=now, kinds=wanted, shards=shards, owner=owner)
        ):
            return 0
        claimed = await self._database.write(
            lambda c: work.claim(
                c,
                now=now,
                limit=limit,
                kinds=wanted,
                shards=shards,
                owner=owner,
                claim_seconds=self._claim_seconds,
            ),
            step=CLAIM,
        )
        slots = asyncio.Semaphore(AT_ONCE)
        # All are waited for, so that nothing goes on behind the back of whoever called.
        ends = await asyncio.gather(
            *(self._carry_out(task, slots) for task in claimed), return_exceptions=True
        )
        for end in ends:
            if isinstance(end, BaseException):
                raise end
        return len(claimed)

    async def _carry_out(self, task: Task, slots: asyncio.Semaphore) -> None:
        async with slots:
            outcome = await self._outcome_in_time(task)
        try:
            await self._database.write(lambda c: self._settle(c, task, outcome), step=FINISH)
        except FenceLost:
            log.warning("task_passed_to_another_worker", task_id=task.id, kind=task.kind)

    async def _outcome_in_time(self, task: Task) -> Outcome:
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

    async def _outcome(self, task: Task) -> Outcome:
        try:
            return await self._handlers[task.kind](task)
        except ApprovalWithdrawn as error:
            return Failed(error.message)
        except Exception as error:
            until = getattr(error, "until", None)
            about = {"task_id": task.id, "kind": task.kind, "error": str(error)}
            if isinstance(error, GuardError) and not isinstance(error, Bug):
                log.warning("task_put_off", error_code=error.code, **about)
                return Again(error.message, until)
            log.warning("task_raised", exc_info=error, **about)
            return Again(f"{type(error).__name__}: {error}", until)

    def _settle(self, connection: Connection, task: Task, outcome: Outcome) -> None:
        match outcome:
            case Done(result):
                work.finish(connection, task, state=work.DONE, result=result)
            case Again(reason, until):
                not_before = until or self._clock.now() + timedelta(seconds=back_off(task.attempts))
                work.put_back(connection, task, not_before=not_before, reason=reason)
            case NeedsPerson(reason):
                work.finish(connection, task, state=work.NEEDS_PERSON, result=reason)
            case Failed(reason):
                work.finish(connection, task, state=work.FAILED, result=reason)
            case _:
                assert_never(outcome)


def back_off(attempts: int) -> float:
    """Return the seconds to wait after that many attempts: doubling, at most an hour."""
    return float(min(FIRST_WAIT_SECONDS * 2 ** min(attempts - 1, 20), LONGEST_WAIT_SECONDS))
