"""Which of our credentials are refused, as a monitor counts them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from cloud.access import LoggedRequest
from cloud.errors import TokenRefused
from console.wiring.reach import Identity, Reach


class _Tokens:
    def __init__(self, *, refuses: bool) -> None:
        self.refuses = refuses

    async def get(self, scope: str) -> str:
        if self.refuses:
            raise TokenRefused("The secret has expired.")
        return "token"

    def failure_of(self, scope: str) -> None:
        return None


def an_identity(name: str, *, refuses: bool = False) -> Identity:
    tokens: Any = _Tokens(refuses=refuses)
    return Identity(name, tokens, ["one/.default", "two/.default"])


def a_request(status: int, *, kind: Any = "rows", reason: str = "read a row") -> LoggedRequest:
    return LoggedRequest(
        kind=kind, mailbox="", method="GET", path="/", reason=reason,
        at=datetime(2026, 11, 23, tzinfo=UTC), seconds=0.1, attempt=1, status=status,
        client_request_id="", request_id="",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("first", "second", "refused"), [(False, False, 0), (True, False, 1), (True, True, 2)]
)
async def test_an_identity_that_entra_refuses_counts_once_whatever_its_scopes(
    first: bool, second: bool, refused: int
) -> None:
    reach = Reach(an_identity("guard", refuses=first), an_identity("sync", refuses=second))
    await reach.look()
    assert reach.refused == refused


async def test_a_service_that_refuses_everything_counts_and_one_missing_right_does_not() -> None:
    reach = Reach(an_identity("guard"))
    await reach.look()
    reach.note(a_request(403))
    assert reach.refused == 1
    reach.note(a_request(200, reason="read another"))
    assert reach.refused == 0
    assert len(reach.lacking) == 1


async def test_what_a_service_or_a_used_up_share_keeps_waiting_is_lacking_while_it_waits() -> None:
    closed = {("dataverse", "reserved"): 120.4, ("graph", "tenant"): 3.0}
    reach = Reach(an_identity("guard"), closed=lambda: closed)
    await reach.look()
    assert reach.problem is None
    of_dataverse, of_graph = reach.lacking
    assert of_dataverse.startswith("Dataverse is asked for nothing for 120 seconds more")
    assert "reverts" in of_dataverse
    assert of_graph.startswith("Microsoft Graph is asked for nothing")
    assert "decisions" in of_graph
    closed.clear()
    assert reach.lacking == []


async def test_whoever_is_told_to_wait_was_neither_taken_nor_refused() -> None:
    reach = Reach(an_identity("guard"))
    await reach.look()
    reach.note(a_request(403))
    reach.note(a_request(429, reason="read another"))
    assert reach.refused == 1
