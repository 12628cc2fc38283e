"""*Holds* shows what waits with its evidence, and takes the word of another person."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import httpx
import pytest

from console.sign_in.link import HOLDER
from kernel.clock import FrozenClock
from kernel.database import Database
from tests.console.web.conftest import APPROVER, OPERATOR, READER, Console, proof_in
from tests.guard.assembled import AGuard
from tests.guard.holds.asked import CEO, VIP_ADDRESS, ask, guarded, holds_of

MINE = replace(CEO, name="chief@contoso.com")


@pytest.fixture
def guard(guard_database: Database, clock: FrozenClock) -> AGuard:
    return guarded(guard_database, clock)


@pytest.fixture
def console(open_console: Callable[..., Console], guard: AGuard) -> Console:
    return open_console(means=guard.parts.means)


async def send(client: httpx.AsyncClient, hold_id: str, word: str, reason: str) -> httpx.Response:
    proof = proof_in((await client.get(f"/holds/{hold_id}")).text)
    form = {"proof": proof, "reason": reason}
    return await client.post(f"/holds/{hold_id}/{word}", data=form)


async def test_what_waits_stands_there_with_its_evidence(console: Console, guard: AGuard) -> None:
    async with await console.visitor(MINE) as client:
        assert "Nothing waits for a second person." in (await client.get("/holds")).text
        hold_id = (await ask(guard, VIP_ADDRESS)).body["hold_id"]
        assert "vip@contoso.com" in (await client.get("/holds")).text
        page = (await client.get(f"/holds/{hold_id}")).text
    for told in ("anna@contoso.com", "vip@contoso.com", "vip/address", "needs a second person"):
        assert told in page
    assert "The guard writes the columns itself." in page


async def test_an_approver_releases_it_and_the_guard_writes_it(
    console: Console, guard: AGuard
) -> None:
    hold_id = (await ask(guard, VIP_ADDRESS)).body["hold_id"]
    async with await console.visitor(MINE) as client:
        answer = await send(client, hold_id, "approve", "I know of it.")
        assert answer.headers["location"] == f"/holds/{hold_id}?said=approved"
        await guard.carry_out()
        page = (await client.get(answer.headers["location"])).text
    (hold,) = holds_of(guard)
    assert (hold["state"], hold["answered_by"]) == ("applied", MINE.name)
    assert hold["reason"] == "I know of it."
    assert "It is released" in page
    assert "/approve" not in page


async def test_whoever_is_no_approver_releases_nothing(console: Console, guard: AGuard) -> None:
    hold_id = (await ask(guard, VIP_ADDRESS)).body["hold_id"]
    for principal in (READER, OPERATOR, HOLDER):
        async with await console.visitor(principal) as client:
            if principal is READER:
                # Who may nothing but look has no form at all; the proof is that of signing out.
                assert "/refuse" not in (await client.get(f"/holds/{hold_id}")).text
            assert (await send(client, hold_id, "approve", "Me.")).status_code == 403
    assert holds_of(guard)[0]["state"] == "open"


async def test_whoever_came_by_the_link_may_refuse(console: Console, guard: AGuard) -> None:
    hold_id = (await ask(guard, VIP_ADDRESS)).body["hold_id"]
    async with await console.visitor(HOLDER) as client:
        assert (await send(client, hold_id, "refuse", "Nobody knows of it.")).status_code == 303
        assert "Nobody knows of it." in (await client.get(f"/holds/{hold_id}")).text
        again = await client.get("/holds?all")
        assert "refused" in again.text
    assert holds_of(guard)[0]["state"] == "refused"


async def test_a_reader_may_not_refuse(console: Console, guard: AGuard) -> None:
    hold_id = (await ask(guard, VIP_ADDRESS)).body["hold_id"]
    async with await console.visitor(READER) as client:
        assert (await send(client, hold_id, "refuse", "No.")).status_code == 403
    assert holds_of(guard)[0]["state"] == "open"


async def test_what_is_not_there_is_a_page(console: Console) -> None:
    async with await console.visitor(APPROVER) as client:
        assert (await client.get("/holds/0a0a0a0a")).status_code == 404
