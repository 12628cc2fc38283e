"""The guard as it is put together: whoever waits for a decision goes before what can wait."""

from __future__ import annotations

import asyncio
import re
import uuid
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from cloud.budgets import DATAVERSE_LIMITS, RESERVED_DATAVERSE_LIMITS
from cloud.entra import ManagedIdentityApp
from cloud.tokens import MsalTokens
from console.metrics import PrometheusMetrics
from console.policy_folder import PolicyFolder
from console.wiring.connections import Connections
from console.wiring.guard import LiveGuard, open_guard
from guard.case import SEEN_LANE
from guard.obligations.table import MENDING
from guard.ports.dataverse import DataverseRows
from kernel.claims import change_lane
from kernel.clock import FrozenClock
from kernel.database import Database
from kernel.errors import GuardError
from kernel.settings import load
from kernel.tasks import Task, TaskState, list_states, tasks
from kernel.workers import CLAIM
from tests.cloud.scripted import Scripted, ok
from tests.webhook_examples.examples import all_examples

OPERATION = re.compile(rb'"OperationId"\s*:\s*"[^"]*"')
EXAMPLE = next(one for one in all_examples() if one.name.startswith("02-"))
BYPASS = next(one for one in all_examples() if one.name.startswith("25-"))


def opened(service: Scripted, database: Database, clock: FrozenClock) -> LiveGuard:
    """Return the guard that `serve` opens, over services that answer as the test says."""
    unused = MsalTokens(ManagedIdentityApp(), clock=clock)
    settings = load({"MAILBOX_GUARD_WEBHOOK_KEYS": EXAMPLE.headers["x-guard-key"]})
    return open_guard(
        settings,
        database,
        clock,
        policies=PolicyFolder.of(settings, clock).holder,
        metrics=PrometheusMetrics(),
        connections=Connections(
            service.graph, service.dataverse, service.transport, unused, service.tenant
        ),
        readiness=lambda: None,
    )


@pytest.fixture
def database(tmp_path: Path) -> Any:
    opened = Database(f"sqlite:///{tmp_path / 'guard.db'}")
    opened.create_tables()
    opened.open()
    yield opened
    opened.close()


async def test_the_facts_of_a_decision_are_asked_for_while_comparisons_take_every_slot(
    database: Database, clock: FrozenClock
) -> None:
    begun = asyncio.Semaphore(0)
    end = asyncio.Event()

    async def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/mailboxes"):
            begun.release()
            await end.wait()
            return ok({"value": []})
        return httpx.Response(404, json={"error": {"code": "0x80040217", "message": "None."}})

    service = Scripted(answer)
    guard = opened(service, database, clock)

    async def compare() -> None:
        async for _ in DataverseRows(service.dataverse).pages("mailbox"):
            pass

    comparisons = [asyncio.create_task(compare()) for _ in range(2 * DATAVERSE_LIMITS.slots)]
    for _ in range(DATAVERSE_LIMITS.slots):
        await begun.acquire()
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(guard.webhook), base_url="http://guard.example.com"
    ) as client:
        answered = await client.post(EXAMPLE.url, content=EXAMPLE.body, headers=EXAMPLE.headers)
    end.set()
    await asyncio.gather(*comparisons)

    # The rows are not there, so the rules err; but each was asked for, and none came too late.
    told = answered.json()["findings"]
    assert {one["effect"] for one in told} == {"error"}
    assert not [one["message"] for one in told if "did not come within" in one["message"]]
    assert any("/systemusers(" in path for path in service.decoded)


async def test_reconciliation_goes_on_when_decisions_have_used_up_their_budget(
    database: Database, clock: FrozenClock
) -> None:
    """However many ask, the share of the watch is not theirs."""
    asked: list[str] = []

    async def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        if request.url.path.endswith("/mailboxes"):
            return ok({"value": []})
        return httpx.Response(404, json={"error": {"code": "0x80040217", "message": "None."}})

    service = Scripted(answer)
    guard = opened(service, database, clock)
    budget = service.transport._budgets.of("dataverse", "tenant", DATAVERSE_LIMITS)
    for _ in range((DATAVERSE_LIMITS.requests or 0) + DATAVERSE_LIMITS.urgent_requests):
        budget._window.count(clock.monotonic())
    with pytest.raises(GuardError):
        await service.dataverse.within(0.01).who_am_i()
    found = [page async for page in guard.rows.pages("mailbox")]
    assert found == [[]] or found == []
    assert [one for one in asked if one.endswith("/mailboxes")]


async def test_one_persons_flood_costs_few_requests_and_keeps_nobody_waiting(
    database: Database, clock: FrozenClock
) -> None:
    asked: list[str] = []

    async def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        await asyncio.sleep(0)
        return httpx.Response(404, json={"error": {"code": "0x80040217", "message": "None."}})

    service = Scripted(answer)
    guard = opened(service, database, clock)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(guard.webhook), base_url="http://guard.example.com"
    ) as client:

        async def post(number: int) -> None:
            operation = str(uuid.UUID(int=number)).encode()
            body = OPERATION.sub(b'"OperationId":"' + operation + b'"', EXAMPLE.body)
            await client.post(EXAMPLE.url, content=body, headers=EXAMPLE.headers)

        await post(1)
        once = len(asked)
        await asyncio.gather(*(post(number) for number in range(2, 42)))
    assert once
    assert len(asked) <= 2 * once


async def test_what_deliveries_owe_takes_nothing_from_the_share_of_the_watch(
    database: Database, clock: FrozenClock
) -> None:
    async def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/mailboxes"):
            return ok({"value": []})
        return httpx.Response(404, json={"error": {"code": "0x80040217", "message": "None."}})

    service = Scripted(answer)
    guard = opened(service, database, clock)
    guard.identity.user_id = "00000000-0000-4000-8000-0000000000aa"
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(guard.webhook), base_url="http://guard.example.com"
    ) as client:
        await client.post(BYPASS.url, content=BYPASS.body, headers=BYPASS.headers)
    watch = service.transport._budgets.of("dataverse", "reserved", RESERVED_DATAVERSE_LIMITS)
    before = len(service.requests)
    await guard.carry_out_obligations()
    assert len(service.requests) > before
    assert watch.is_idle()

    # What was seen is asked of that share alone: here the other one is used up.
    common = service.transport._budgets.of("dataverse", "tenant", DATAVERSE_LIMITS)
    for _ in range((DATAVERSE_LIMITS.requests or 0) + DATAVERSE_LIMITS.urgent_requests):
        common._window.count(clock.monotonic())
    move = partial(
        change_lane,
        owners=[one.owner for one in kept(database)],
        lane=SEEN_LANE,
        kinds=MENDING,
        now=clock.now(),
    )
    database.write_now(lambda c: c.execute(tasks.update().values(state="queued")), failpoint=CLAIM)
    database.write_now(move, failpoint=CLAIM)
    before, began = len(service.requests), clock.monotonic()
    await guard.carry_out_what_was_seen()
    assert len(service.requests) > before
    assert clock.monotonic() == began
    assert not watch.is_idle()
    assert {one.state for one in kept(database)} == {TaskState.DONE}


def kept(database: Database) -> list[Task]:
    return database.read_now(lambda c: list_states(c, states=list(TaskState)))
