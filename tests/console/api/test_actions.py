"""What people do over the API is done by the functions of the commands, and recorded by name."""

from __future__ import annotations

import json
from datetime import timedelta

from kernel import acts, approvals, stops
from kernel.database import Database
from kernel.stops import STOPPED, Stopped
from sync.model.read import Read
from sync.store import access
from tests.console.api.conftest import ANNA, MAILBOX_ID, Bench
from tests.console.api.test_access import is_problem
from tests.console.conftest import TEST


async def words(database: Database) -> list[tuple[str, str, str]]:
    found = await database.read(lambda c: list(acts.walk(c)))
    return [
        (one.kind, one.subject, json.loads(one.private)["by"])
        for one in found
        if one.kind in ("pause", "resumption", "release")
    ]


async def test_a_mailbox_is_paused_resumed_and_withdrawn_by_name(
    bench: Bench, database: Database
) -> None:
    await bench.approve()
    for path, state in (("pause", "paused"), ("resume", "waiting"), ("withdraw", "withdrawn")):
        body = {} if path == "resume" else {"json": {"reason": "To be looked at."}}
        answer = await bench.post(f"/mailboxes/{ANNA}/{path}", **body)
        assert answer.json() == {"done": True, "by": "Olga Berg"}, answer.text
        assert (await bench.get(f"/mailboxes/{MAILBOX_ID}")).json()["state"] == state
    assert await words(database) == [
        ("pause", MAILBOX_ID, "Olga Berg"),
        ("resumption", MAILBOX_ID, "Olga Berg"),
    ]
    held = await database.read(lambda c: approvals.find(c, MAILBOX_ID))
    assert held is not None
    assert (held.withdrawn_by, held.reason) == ("Olga Berg", "To be looked at.")
    answer = await bench.post(f"/mailboxes/{ANNA}/withdraw", json={"reason": "Once more."})
    assert answer.json()["done"] is False


async def test_a_reason_that_says_nothing_is_refused(bench: Bench) -> None:
    await bench.approve()
    for told in ({}, {"reason": ""}, {"reason": "   "}, {"reason": "x" * 1001}, {"why": "abc"}):
        answer = await bench.post(f"/mailboxes/{MAILBOX_ID}/withdraw", json=told)
        assert is_problem(answer, 422, "request-unfit"), told


async def test_a_mailbox_that_is_not_known_is_named(bench: Bench) -> None:
    answer = await bench.post("/mailboxes/nobody@contoso.com/pause", json={"reason": "Because."})
    assert is_problem(answer, 404, "mailbox-unknown")


async def test_mailboxes_and_accesses_come_in_pages(bench: Bench, database: Database) -> None:
    for number in range(5):
        await bench.approve(
            f"b1000000-0000-4000-8000-00000000000{number}", f"a{number}@contoso.com"
        )
    for path, count in (("/mailboxes", 5), (f"/mailboxes/{MAILBOX_ID}/access", 7)):
        if count == 7:
            reads = [
                Read(bench.clock.now() + timedelta(seconds=one), "messages/delta", one + 1)
                for one in range(7)
            ]
            await database.write(
                lambda c, reads=reads: access.record(
                    c, reads, record_id=MAILBOX_ID, object_id="o1", workload="mail", epoch=1
                ),
                failpoint=TEST,
            )
        seen, cursor = [], None
        while True:
            asked = {"limit": 2} | ({"cursor": cursor} if cursor else {})
            found = (await bench.get(path, **asked)).json()
            seen += [one["id"] for one in found["items"]]
            cursor = found["next"]
            if cursor is None:
                break
        assert len(seen) == len(set(seen)) == count
    assert is_problem(await bench.get("/mailboxes", cursor="AAAA"), 400, "cursor-unusable")


async def test_a_brake_is_released_by_name(bench: Bench, database: Database) -> None:
    now = bench.clock.now()
    stopped = [Stopped("row-1", MAILBOX_ID, "Eleven rows are gone.")]
    await database.write(
        lambda c: stops.add(c, "guard.gone", "mailbox", stopped, now=now), failpoint=STOPPED
    )
    [one] = (await bench.get("/brakes")).json()["items"]
    assert (one["brake"], one["released"]) == ("guard.gone", False)
    let_go = (await bench.post("/brakes/guard.gone/release")).json()["items"]
    assert [one["subject"] for one in let_go] == ["row-1"]
    assert (await bench.post("/brakes/guard.gone/release")).json()["items"] == []
    assert await words(database) == [("release", "guard.gone", "Olga Berg")]
