"""*Mailboxes* shows what is held of each, and tells it what a person says, with their name."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from console.sign_in.link import HOLDER
from console.web.values import flattened
from kernel import approvals, stops
from kernel.acts import acts
from kernel.brake import BRAKES, Release
from kernel.database import Database
from sync.operate import mailboxes
from sync.store.tables import SyncState
from tests.conftest import NOON
from tests.console.conftest import TEST
from tests.console.web.conftest import OPERATOR, READER, Console, proof_in

ANNAS = "11111111-1111-4111-8111-111111111111"
HOSTILE = "<script>alert(1)</script>@contoso.com"


def grant(database: Database, record_id: str, address: str) -> None:
    database.write_now(
        lambda c: approvals.grant(
            c,
            record_id=record_id,
            address=address,
            object_id=f"7{record_id[1:]}",
            owner_id="22222222-2222-4222-8222-222222222222",
            owner_type="user",
            evidence={"decision": "d1", "row": {"address": address, "approval": 1}},
            now=NOON,
        ),
        failpoint=TEST,
    )


@pytest.fixture(autouse=True)
def annas(guard_database: Database) -> None:
    grant(guard_database, ANNAS, "anna@contoso.com")


def state_of(console: Console) -> dict[str, Any]:
    now = console.parts.clock.now()
    return console.parts.database.read_now(lambda c: mailboxes.show_mailbox(c, ANNAS, now=now))


def words(console: Console) -> list[tuple[str, dict[str, Any]]]:
    """Return what persons said, as the chain of acts holds it."""
    rows = console.parts.database.read_now(
        lambda c: c.execute(select(acts.c.kind, acts.c.private).order_by(acts.c.number)).all()
    )
    return [(row.kind.value, json.loads(row.private or "{}")) for row in rows]


async def send(client: httpx.AsyncClient, path: str, page: str, **form: str) -> httpx.Response:
    proof = proof_in((await client.get(page)).text)
    return await client.post(path, data={"proof": proof, **form})


async def test_every_mailbox_is_listed_and_found(
    console: Console, visitor: httpx.AsyncClient
) -> None:
    grant(console.parts.database, "33333333-1111-4111-8111-111111111111", HOSTILE)
    page = (await visitor.get("/mailboxes")).text
    assert "anna@contoso.com" in page
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page
    found = await visitor.get("/mailboxes?q=ANNA@contoso.com")
    assert found.headers["location"] == f"/mailboxes/{ANNAS}"
    assert "anna@contoso.com" in (await visitor.get("/mailboxes?q=nna@")).text
    assert "No mailbox fits." in (await visitor.get("/mailboxes?q=nobody")).text
    assert "No mailbox fits." in (await visitor.get("/mailboxes?state=failing")).text
    assert (await visitor.get("/mailboxes?state=nonsense")).status_code == 400


async def test_many_mailboxes_stand_on_pages(console: Console, visitor: httpx.AsyncClient) -> None:
    for number in range(60):
        record_id = f"44444444-1111-4111-8111-{number:012d}"
        grant(console.parts.database, record_id, f"u{number}@contoso.com")
    first = (await visitor.get("/mailboxes?q=contoso")).text
    assert first.count('data-label="Address"') == 50
    assert "after=" in first
    rest = first.partition('href="/mailboxes?')[2].partition('"')[0].replace("&amp;", "&")
    second = (await visitor.get(f"/mailboxes?{rest}")).text
    assert second.count('data-label="Address"') == 11
    assert "Next page" not in second


async def test_mailboxes_of_a_state_stand_on_pages_too(
    console: Console, visitor: httpx.AsyncClient
) -> None:
    for number in range(60):
        record_id = f"44444444-1111-4111-8111-{number:012d}"
        grant(console.parts.database, record_id, f"u{number}@contoso.com")
    first = (await visitor.get("/mailboxes?state=waiting&q=u")).text
    assert first.count('data-label="Address"') == 50
    rest = first.partition('href="/mailboxes?')[2].partition('"')[0].replace("&amp;", "&")
    second = (await visitor.get(f"/mailboxes?{rest}")).text
    assert second.count('data-label="Address"') == 10
    assert "anna@contoso.com" not in first + second


async def test_one_mailbox_is_shown_with_its_evidence(visitor: httpx.AsyncClient) -> None:
    page = (await visitor.get(f"/mailboxes/{ANNAS}")).text
    assert "row.address" in page
    assert "Nothing was read of it." in page
    assert (await visitor.get("/mailboxes/99999999")).status_code == 404
    assert (await visitor.get(f"/mailboxes/{ANNAS}?before=x")).status_code == 400


async def test_pausing_and_resuming_are_remembered_with_the_name(
    console: Console, visitor: httpx.AsyncClient
) -> None:
    page = f"/mailboxes/{ANNAS}"
    answer = await send(visitor, f"{page}/pause", page, reason="A move.")
    assert answer.headers["location"] == f"{page}?said=paused"
    assert state_of(console)["state"] == SyncState.PAUSED
    answer = await send(visitor, f"{page}/resume", page)
    assert answer.headers["location"] == f"{page}?said=resumed"
    assert state_of(console)["state"] == SyncState.WAITING
    _, paused, resumed = words(console)
    assert paused[0] == "pause"
    assert paused[1]["by"] == OPERATOR.name
    assert paused[1]["object_id"] == OPERATOR.object_id
    assert paused[1]["reason"] == "A move."
    assert (resumed[0], resumed[1]["proof"]) == ("resumption", "entra")


async def test_withdrawing_takes_the_approval_away_and_is_anchored(
    console: Console, visitor: httpx.AsyncClient, anchored: list[int]
) -> None:
    page = f"/mailboxes/{ANNAS}"
    answer = await send(visitor, f"{page}/withdraw", page, reason="They left.")
    assert answer.headers["location"] == f"{page}?said=withdrawn"
    found = state_of(console)
    assert (found["approved"], found["withdrawn_by"]) == (False, OPERATOR.name)
    assert anchored == [1]
    answer = await send(visitor, f"{page}/withdraw", page, reason="They left.")
    assert answer.headers["location"] == f"{page}?said=withdrawn-before"


async def test_whoever_came_by_the_link_takes_away_and_gives_nothing_back(
    console: Console,
) -> None:
    page = f"/mailboxes/{ANNAS}"
    async with await console.visitor(HOLDER) as client:
        shown = (await client.get(page)).text
        assert "/pause" in shown
        assert "/resume" not in shown
        assert (await send(client, f"{page}/pause", page, reason="A look.")).status_code == 303
        assert (await send(client, f"{page}/resume", page)).status_code == 403
    assert state_of(console)["state"] == SyncState.PAUSED


async def test_a_reader_reads(console: Console) -> None:
    page = f"/mailboxes/{ANNAS}"
    async with await console.visitor(READER) as client:
        shown = (await client.get(page)).text
        assert "/withdraw" not in shown
        assert (await send(client, f"{page}/withdraw", page, reason="No.")).status_code == 403
    assert state_of(console)["approved"]


async def test_a_brake_is_released_by_a_persons_word(
    console: Console, visitor: httpx.AsyncClient, standing: dict[str, Any]
) -> None:
    name = next(one for one, brake in BRAKES.items() if brake.release is Release.GO_ON)
    database = console.parts.database
    stop = stops.Stopped(ANNAS, ANNAS, "Too many at once.")
    database.write_now(lambda c: stops.add(c, name, "mailbox", [stop], now=NOON), failpoint=TEST)
    standing["brakes"] = [
        {"brake": name, "scope": "mailbox", "stopped": 1, "release": f"brakes release {name}"}
    ]
    page = (await visitor.get("/mailboxes/brakes")).text
    assert "anna@contoso.com" in page
    path = f"/mailboxes/brakes/{name}/release"
    assert (await send(visitor, path, "/mailboxes/brakes")).status_code == 303
    assert words(console)[-1][1]["by"] == OPERATOR.name
    assert (await send(visitor, path, "/mailboxes/brakes")).status_code == 409
    unknown = await send(visitor, "/mailboxes/brakes/nothing/release", "/mailboxes/brakes")
    assert unknown.status_code == 404


def test_values_of_any_depth_become_names_with_texts() -> None:
    found = flattened({"a": {"b": [1, 2], "c": None}, "d": True})
    assert found == [("a.b", "1, 2"), ("a.c", ""), ("d", "yes")]
    assert len(flattened({str(number): 1 for number in range(1000)})) == 60
