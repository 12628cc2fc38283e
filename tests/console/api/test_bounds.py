"""What is hostile, huge, deep or broken is refused as a problem, and nothing of it goes further."""

from __future__ import annotations

import json
from typing import Any

import pytest

from console.api.bounds import MOST_BODY_BYTES
from console.api.surface import PREFIX
from guard.ledger.listing import list_decisions
from kernel.database import Database
from tests.console.api.conftest import EVERYTHING, MAILBOX_ID, SECRET, Bench
from tests.console.api.test_access import is_problem

UNCHANGED = {"operation": "update", "entity": "mailbox"}


@pytest.mark.parametrize(
    "path", ["/api/v1/nothing", "/api/v1", "/api/v1/", "/nothing", "/webhook", "/readyz/x"]
)
async def test_a_path_that_leads_nowhere_is_a_problem_everywhere(bench: Bench, path: str) -> None:
    for method in ("GET", "POST", "DELETE"):
        assert is_problem(await bench.client.request(method, path), 404)


async def test_a_method_that_is_not_served_is_a_problem(bench: Bench) -> None:
    assert is_problem(await bench.client.delete(f"{PREFIX}/decisions"), 405)
    assert is_problem(await bench.client.post("/readyz"), 405)


async def test_a_body_is_read_to_its_bound_and_no_further(bench: Bench) -> None:
    read = 0

    async def endless() -> Any:
        nonlocal read
        while read < 100 * MOST_BODY_BYTES:
            read += 8192
            yield b" " * 8192

    heads = await bench.sign_in(EVERYTHING)
    answer = await bench.client.post(f"{PREFIX}/try", headers=heads, content=endless())
    assert is_problem(answer, 413, "request-too-large")
    answer = await bench.client.get(f"{PREFIX}/decisions?rule={'x' * 9000}", headers=heads)
    assert is_problem(answer, 413, "request-too-large")
    answer = await bench.client.get(f"{PREFIX}/{'x' * 600}", headers=heads)
    assert is_problem(answer, 413, "request-too-large")


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 30_000,
        b'{"a":' * 10_000,
        b"\xff\xfe",
        b"",
        b"null",
        b'{"operation": "update", "entity": "mailbox", "new": {"emailaddress": NaN}}',
        b'{"operation": "update", "entity": "mailbox", "nothing": 1}',
        b'{"operation": "update", "entity": "mail\\u0000box"}',
        b'{"operation": "update", "entity": "mailbox", "new": {"emailaddress": [[[[{}]]]]}}',
        b'{"operation": "update", "entity": "mailbox", "now": "yesterday"}',
        b'{"operation": "update", "entity": "nothing"}',
        b'{"operation": "update", "entity": "mailbox", "facts": {"no.such": 1}}',
        b'{"operation": "update", "entity": "mailbox", "record_id": "\\ud800"}',
    ],
)
async def test_a_change_that_cannot_be_read_is_refused(bench: Bench, content: bytes) -> None:
    heads = {**await bench.sign_in(EVERYTHING), "content-type": "application/json"}
    answer = await bench.client.post(f"{PREFIX}/try", headers=heads, content=content)
    assert answer.status_code in (400, 422), answer.text
    assert is_problem(answer, answer.status_code, answer.json().get("code"))


@pytest.mark.parametrize(
    "value",
    ["\U0001f600 \u202egnal", "' OR 1=1 --", "%_%", "<script>alert(1)</script>", "z" * 200],
)
async def test_any_text_may_be_searched_for_and_finds_nothing(bench: Bench, value: str) -> None:
    await bench.record()
    answer = await bench.get("/decisions", address=f"{value[:180]}@contoso.com")
    assert (answer.status_code, answer.json()["items"]) == (200, [])
    assert (await bench.get("/decisions", actor=value)).status_code == 400


@pytest.mark.parametrize("value", ["a\x00b", "a\nb", "", "x" * 201])
async def test_what_no_name_can_hold_is_refused(bench: Bench, value: str) -> None:
    for name in ("actor", "address", "record", "rule", "table"):
        assert is_problem(await bench.get("/decisions", **{name: value}), 422, "request-unfit")


@pytest.mark.parametrize(
    "named",
    [{"limit": 0}, {"limit": 201}, {"limit": "x"}, {"since": "soon"}, {"cursor": "x" * 500},
     {"unasked": 1}],
)  # fmt: skip
async def test_what_is_out_of_bounds_is_refused(bench: Bench, named: dict[str, Any]) -> None:
    assert is_problem(await bench.get("/decisions", **named), 422, "request-unfit")


async def test_hostile_text_in_the_ledger_is_given_as_it_is(bench: Bench) -> None:
    hostile = '<script>alert("\u202e")</script>\ud800@contoso.com'
    decision_id = await bench.record(hostile)
    for path in ("/decisions", f"/decisions/{decision_id}"):
        answer = await bench.get(path)
        assert answer.status_code == 200
        assert "<script>" in answer.text
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert json.loads(answer.text)
    # A broken letter is no value that a policy can be asked about again.
    for path in ("explanation", "replay", "test", "exceptions"):
        answer = await bench.get(f"/decisions/{decision_id}/{path}")
        assert is_problem(answer, 400, "decision-masked")
    decision_id = await bench.record('<script>alert("\u202e")</script>@contoso.com')
    for path in ("explanation", "replay", "test", "exceptions"):
        assert (await bench.get(f"/decisions/{decision_id}/{path}")).status_code == 200


async def test_what_is_the_same_is_not_sent_again_and_nothing_is_kept(bench: Bench) -> None:
    await bench.record()
    heads = await bench.sign_in(EVERYTHING)
    first = await bench.client.get(f"{PREFIX}/decisions", headers=heads)
    assert first.headers["cache-control"] == "no-store"
    known = {**heads, "if-none-match": first.headers["etag"]}
    again = await bench.client.get(f"{PREFIX}/decisions", headers=known)
    assert (again.status_code, again.content) == (304, b"")
    await bench.record()
    assert (await bench.client.get(f"{PREFIX}/decisions", headers=known)).status_code == 200


async def test_no_secret_is_shown(bench: Bench) -> None:
    answer = await bench.get("/system")
    assert SECRET not in answer.text
    by_name = {one["name"]: one["value"] for one in answer.json()["settings"]}
    assert by_name["MAILBOX_GUARD_CLIENT_SECRET"] == "set"
    assert answer.json()["you"]["name"] == "Olga Berg"
    assert answer.json()["version"] == "1.2.3"


async def test_trying_records_nothing(bench: Bench, database: Database) -> None:
    change = {
        **UNCHANGED,
        "old": {"emailaddress": "anna@contoso.com"},
        "new": {
            "emailaddress": "ceo@contoso.com",
            "owner.type": "user",
            "owner.upn": "anna@contoso.com",
        },
    }
    answer = await bench.post("/try", json=change)
    assert (answer.json()["decision"], answer.json()["not_given"]) == ("reject", [])
    assert await database.read(list_decisions) == []


async def test_a_fault_of_ours_is_told_without_its_text(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: Any) -> None:
        raise RuntimeError("the password is hush")

    monkeypatch.setattr(bench.parts.database, "read", broken)
    answer = await bench.client.get(
        f"{PREFIX}/mailboxes/{MAILBOX_ID}", headers={"cookie": "mailbox-guard=x"}
    )
    assert is_problem(answer, 500, "bug")
    assert "hush" not in answer.text


@pytest.mark.parametrize("depth", [50, 400, 900, 5000])
@pytest.mark.parametrize("part", ["new", "facts", "missing", "request"])
async def test_however_deep_a_change_is_nested_it_is_refused(
    bench: Bench, part: str, depth: int
) -> None:
    nested = '{"a":' * depth + "1" + "}" * depth
    text = f'{{"operation": "update", "entity": "mailbox", "{part}": {nested}}}'
    heads = {**await bench.sign_in(EVERYTHING), "content-type": "application/json"}
    answer = await bench.client.post(f"{PREFIX}/try", headers=heads, content=text)
    assert answer.status_code in (400, 422), answer.text
    assert len(answer.text) < 20_000
