"""What is held is seen, released and refused over the API by the functions of command and page."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from guard.ledger.stored import StoredLedger
from kernel.clock import FrozenClock
from kernel.database import Database
from kernel.principal import AppRole
from tests.console.api.conftest import Bench, a_person, make_bench
from tests.console.api.test_access import is_problem
from tests.console.recording import a_folder
from tests.guard.assembled import AGuard
from tests.guard.holds.asked import CEO, VIP_ADDRESS, ask, guarded, holds_of

TOLD = {"reason": "I know of it."}


@pytest.fixture
def guard(database: Database, clock: FrozenClock) -> AGuard:
    return guarded(database, clock)


@pytest.fixture
async def bench(
    database: Database, clock: FrozenClock, tmp_path: Path, guard: AGuard
) -> AsyncIterator[Bench]:
    parts, surface = make_bench(
        database, clock, a_folder(tmp_path / "policies"), means=guard.parts.means
    )
    transport = httpx.ASGITransport(app=surface, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://guard") as client:
        yield Bench(parts, client, StoredLedger(database, clock), clock, surface)


async def test_what_waits_is_listed_and_shown_with_its_evidence(
    bench: Bench, guard: AGuard
) -> None:
    assert (await bench.get("/holds")).json() == {"items": [], "next": None}
    hold_id = (await ask(guard, VIP_ADDRESS)).body["hold_id"]
    [one] = (await bench.get("/holds")).json()["items"]
    assert (one["id"], one["state"]) == (hold_id, "open")
    whole = (await bench.get(f"/holds/{hold_id[:13]}")).json()
    assert whole["after"] == VIP_ADDRESS
    assert whole["findings"]
    assert (await bench.get("/holds", state="refused")).json()["items"] == []
    assert is_problem(await bench.get("/holds/ffffffff"), 404, "hold-unknown")


async def test_an_approver_releases_it_under_their_name(bench: Bench, guard: AGuard) -> None:
    hold_id = (await ask(guard, VIP_ADDRESS)).body["hold_id"]
    answer = await bench.post(f"/holds/{hold_id}/approve", CEO, json=TOLD)
    assert answer.status_code == 200, answer.text
    assert (answer.json()["state"], answer.json()["answered_by"]) == ("approved", CEO.name)
    await guard.carry_out()
    assert [one["state"] for one in holds_of(guard)] == ["applied"]
    again = await bench.post(f"/holds/{hold_id}/approve", CEO, json=TOLD)
    assert is_problem(again, 409, "hold-ended")


async def test_an_operator_refuses_it_and_may_not_release_it(bench: Bench, guard: AGuard) -> None:
    hold_id = (await ask(guard, VIP_ADDRESS)).body["hold_id"]
    operator = a_person(AppRole.OPERATOR)
    answer = await bench.post(f"/holds/{hold_id}/approve", operator, json=TOLD)
    assert is_problem(answer, 403, "role-missing")
    answer = await bench.post(f"/holds/{hold_id}/refuse", operator, json=TOLD)
    assert answer.json()["state"] == "refused"
    assert [one["state"] for one in holds_of(guard)] == ["refused"]


async def test_where_there_is_no_guard_nothing_is_released(
    database: Database, clock: FrozenClock, tmp_path: Path, bench: Bench, guard: AGuard
) -> None:
    hold_id = (await ask(guard, VIP_ADDRESS)).body["hold_id"]
    parts, surface = make_bench(database, clock, tmp_path / "policies")
    transport = httpx.ASGITransport(app=surface)
    async with httpx.AsyncClient(transport=transport, base_url="http://guard") as client:
        alone = Bench(parts, client, StoredLedger(database, clock), clock, surface)
        answer = await alone.post(f"/holds/{hold_id}/approve", CEO, json=TOLD)
    assert is_problem(answer, 503, "unavailable")
