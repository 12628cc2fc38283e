"""*System* shows how the process stands, and no secret."""

from __future__ import annotations

from collections.abc import Callable

import httpx

from console.metrics import PrometheusMetrics
from tests.console.web.conftest import APPROVER, Console


async def test_no_secret_is_shown(open_console: Callable[..., Console]) -> None:
    console = open_console(
        MAILBOX_GUARD_CLIENT_SECRET="hush-hush-hush",
        MAILBOX_GUARD_WEBHOOK_KEYS="a-key-of-contoso-1,a-key-of-contoso-2",
        MAILBOX_GUARD_DATABASE_URL="postgresql://guard:hush-hush@db.contoso.com/guard",
    )
    async with await console.visitor(APPROVER) as client:
        page = (await client.get("/system")).text
    assert "hush" not in page
    assert "a-key-of" not in page
    assert "MAILBOX_GUARD_CLIENT_SECRET" in page
    assert "MAILBOX_GUARD_DATABASE_URL" in page
    assert "db.contoso.com" not in page


async def test_it_says_who_you_are_and_how_long(visitor: httpx.AsyncClient) -> None:
    page = (await visitor.get("/system")).text
    assert "operator@contoso.com" in page
    assert "They signed in with Entra" in page
    assert "May also pause, resume, withdraw, and release brakes." in page


async def test_what_waits_for_a_person_says_how_it_is_mended(
    console: Console, visitor: httpx.AsyncClient
) -> None:
    assert "No task waits for a person." in (await visitor.get("/system")).text


def test_figures_are_told_in_words() -> None:
    metrics = PrometheusMetrics()
    metrics.answered(status=200, decision="allow", cause="rules", seconds=0.004)
    metrics.answered(status=403, decision="reject", cause="rules", seconds=0.002)
    told = {one.name: one.value for one in metrics.figures()}
    assert told["mailbox_guard_deliveries"] == "2"
    assert told["mailbox_guard_delivery_seconds"] == "3.0 ms on average"
    assert told["mailbox_guard_ledger_write_seconds"] == "none yet"
