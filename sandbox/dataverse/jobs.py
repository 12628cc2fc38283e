"""System jobs: asynchronous deliveries after the commit, in no particular order."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

from kernel.clock import Clock
from sandbox.dataverse.faults import Fault
from sandbox.dataverse.rows import Ref, Store

_READY, _COMPLETED = 0, 3
_WAITING, _RUNNING, _SUCCEEDED, _FAILED = 0, 20, 30, 31


class Jobs:
    """The asynchronous service of the organisation."""

    def __init__(self, store: Store, clock: Clock, *, seed: int = 1) -> None:
        self._store = store
        self._clock = clock
        self._random = Random(seed)  # noqa: S311 - disorder for tests, not secrecy.
        self._running: set[asyncio.Task[None]] = set()
        self.longest_delay_seconds = 0.02

    def add(
        self,
        job_id: str,
        work: Callable[[], Awaitable[None]],
        *,
        values: dict[str, Any],
        forgets_success: bool,
    ) -> None:
        """Queue a job; its row tells how it went."""
        self._write(
            job_id,
            {**values, "statecode": _READY, "statuscode": _WAITING, "createdon": self._clock.now()},
        )
        delay = self._random.uniform(0, self.longest_delay_seconds)
        self._start(self._carry_out(job_id, work, delay, forgets_success=forgets_success))

    def begin(self, work: Callable[[], Awaitable[None]]) -> None:
        """Run platform work in the background, without a row."""

        async def run() -> None:
            await work()

        self._start(run())

    def _start(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def settle(self) -> None:
        """Return when nothing is queued or running any more."""
        while self._running:
            await asyncio.wait(set(self._running))

    async def stop(self) -> None:
        """Abandon what is queued."""
        running = set(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _carry_out(
        self,
        job_id: str,
        work: Callable[[], Awaitable[None]],
        delay: float,
        *,
        forgets_success: bool,
    ) -> None:
        await asyncio.sleep(delay)
        self._write(job_id, {"statuscode": _RUNNING, "startedon": self._clock.now()})
        try:
            await work()
        except Fault as fault:
            number = int(fault.code, 16)
            self._write(
                job_id,
                {
                    "statecode": _COMPLETED,
                    "statuscode": _FAILED,
                    "errorcode": number - (1 << 32) if number >> 31 else number,
                    "message": fault.message,
                    "friendlymessage": fault.message,
                    "completedon": self._clock.now(),
                },
            )
            return
        if forgets_success:
            transaction = self._store.begin()
            transaction.delete("asyncoperation", job_id)
            transaction.commit()
            return
        done = {"statecode": _COMPLETED, "statuscode": _SUCCEEDED}
        self._write(job_id, {**done, "completedon": self._clock.now()})

    def _write(self, job_id: str, values: dict[str, Any]) -> None:
        transaction = self._store.begin()
        row = transaction.get("asyncoperation", job_id) or {"asyncoperationid": job_id}
        transaction.put("asyncoperation", {**row, **values})
        transaction.commit()


def job_values(
    step_id: str,
    *,
    name: str,
    message: str,
    table: str,
    record_id: str,
    correlation_id: str,
    depth: int,
) -> dict[str, Any]:
    """Return the columns of the job that carries out a step."""
    return {
        "name": name,
        "messagename": message,
        "primaryentitytype": table,
        "regardingobjectid": Ref(table, record_id),
        "owningextensionid": Ref("sdkmessageprocessingstep", step_id),
        "correlationid": correlation_id,
        "depth": depth,
        "operationtype": 1,
        "retrycount": 0,
    }
