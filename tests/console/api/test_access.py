"""Every route has a door: who is nobody stays out, and each role may do what it says, no more."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from console.api.access import Door
from console.api.surface import PREFIX, ROUTERS
from console.sign_in.authority import Authority
from console.sign_in.token_check import TokenCheck
from kernel.principal import AppRole, Proof
from tests.console.api.conftest import MAILBOX_ID, Bench, a_person
from tests.console.sign_in.conftest import CLIENT, URL, MemoryAuthority

ROUTES: list[tuple[str, str, Door]] = [
    (method, route.path, door.call)  # type: ignore[attr-defined]
    for router in ROUTERS
    for route in router.routes
    for method in sorted(route.methods)  # type: ignore[attr-defined]
    for door in route.dependant.dependencies  # type: ignore[attr-defined]
    if isinstance(door.call, Door)
]
READER, OPERATOR = a_person(AppRole.READER), a_person(AppRole.OPERATOR)


def filled(path: str) -> str:
    for name, value in (
        ("{decision_id}", "019acb12"),
        ("{mailbox}", MAILBOX_ID),
        ("{hold_id}", "019acb12"),
        ("{brake}", "guard.gone"),
    ):
        path = path.replace(name, value)
    return PREFIX + path


def is_problem(answer: httpx.Response, status: int, code: str | None = None) -> bool:
    body = answer.json()
    return (
        answer.status_code == body["status"] == status
        and answer.headers["content-type"] == "application/problem+json"
        and answer.headers["cache-control"] == "no-store"
        and body.get("code") == code
        and bool(body["title"] and body["detail"] and body["type"])
    )


def test_every_route_has_one_door() -> None:
    count = sum(len(route.methods) for router in ROUTERS for route in router.routes)  # type: ignore[attr-defined]
    assert len(ROUTES) == count


@pytest.mark.parametrize(("method", "path"), [(method, path) for method, path, _ in ROUTES])
async def test_nobody_gets_in_without_a_session_or_a_token(
    bench: Bench, method: str, path: str
) -> None:
    answer = await bench.client.request(method, filled(path))
    assert is_problem(answer, 401, "sign-in-needed")
    assert answer.headers["www-authenticate"] == "Bearer"
    answer = await bench.client.request(method, filled(path), headers={"authorization": "Bearer x"})
    assert is_problem(answer, 403, "sign-in-refused")


@pytest.mark.parametrize(
    ("method", "path"),
    [(method, path) for method, path, door in ROUTES if door.role is not AppRole.READER],
)
async def test_who_only_reads_changes_nothing(bench: Bench, method: str, path: str) -> None:
    heads = await bench.sign_in(READER)
    answer = await bench.client.request(
        method, filled(path), headers=heads, json={"reason": "Because."}
    )
    assert is_problem(answer, 403, "role-missing")


@pytest.mark.parametrize("path", ["resume", "pause", "withdraw"])
async def test_what_changes_something_takes_the_proof_of_a_page_of_ours(
    bench: Bench, path: str
) -> None:
    await bench.approve()
    heads = await bench.sign_in(OPERATOR)
    url, told = f"{PREFIX}/mailboxes/{MAILBOX_ID}/{path}", {"reason": "She left."}
    for proof in ({}, {"x-guard-proof": ""}, {"x-guard-proof": "0" * 64}):
        cookie = {"cookie": heads["cookie"], **proof}
        answer = await bench.client.post(url, headers=cookie, json=told)
        assert is_problem(answer, 403, "proof-missing")
    assert (await bench.client.post(url, headers=heads, json=told)).status_code == 200


async def test_who_came_by_the_link_may_take_away_and_give_nothing_back(bench: Bench) -> None:
    await bench.approve()
    guest = a_person(*AppRole, proof=Proof.LINK)
    told: dict[str, Any] = {"json": {"reason": "To be looked at."}}
    assert (await bench.post(f"/mailboxes/{MAILBOX_ID}/pause", guest, **told)).status_code == 200
    for path in (f"/mailboxes/{MAILBOX_ID}/resume", "/brakes/guard.gone/release"):
        assert is_problem(await bench.post(path, guest), 403, "role-missing")


async def test_a_session_that_is_over_or_whose_roles_are_old_is_nobodys(bench: Bench) -> None:
    heads = await bench.sign_in(READER)
    for _ in range(3):
        bench.clock.advance(1500)
        answer = await bench.client.get(f"{PREFIX}/system", headers=heads)
    assert is_problem(answer, 401, "sign-in-needed")


async def test_a_token_of_entra_needs_no_proof(bench: Bench) -> None:
    authority = MemoryAuthority(bench.clock)
    bench.parts.knows.check = TokenCheck(
        Authority(URL, authority.fetch, bench.clock), client_id=CLIENT, clock=bench.clock
    )
    await bench.approve()
    heads = {"authorization": f"Bearer {authority.token(roles=['Operator'])}"}
    answer = await bench.client.post(
        f"{PREFIX}/mailboxes/{MAILBOX_ID}/pause", headers=heads, json={"reason": "On leave."}
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["done"] is True
    heads = {"authorization": f"Bearer {authority.token(roles=['Reader'])}"}
    answer = await bench.client.post(
        f"{PREFIX}/mailboxes/{MAILBOX_ID}/pause", headers=heads, json={"reason": "On leave."}
    )
    assert is_problem(answer, 403, "role-missing")
