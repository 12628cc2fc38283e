"""The HTTP surface sends each request where it belongs, and says what it has no place for."""

from __future__ import annotations

import httpx
import pytest
import structlog

from console.application import Front, application
from console.gauges import GaugeReader
from console.metrics import PrometheusMetrics
from kernel.clock import FrozenClock
from kernel.database import Database


@pytest.fixture
def surface(guard_database: Database, clock: FrozenClock) -> Front:
    async def webhook(scope, receive, send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"decided"})

    async def ready() -> dict[str, object]:
        return {"ready": True}

    return application(
        webhook,
        readiness=ready,
        metrics=PrometheusMetrics(),
        gauges=GaugeReader(guard_database, clock).read,
    )


async def test_a_path_that_leads_nowhere_is_one_line_in_the_log(surface: Front) -> None:
    transport = httpx.ASGITransport(app=surface)
    async with httpx.AsyncClient(transport=transport, base_url="http://guard") as client:
        with structlog.testing.capture_logs() as lines:
            assert (await client.post("/webhook/dataverse?code=hush")).status_code == 404
            assert (await client.post("/webhooks/dataverse")).text == "decided"
            assert (await client.get("/healthz")).json() == {"alive": True}
            assert (await client.get("/readyz")).status_code == 200
    assert [(one["event"], one["path"]) for one in lines] == [
        ("path_not_found", "/webhook/dataverse")
    ]


async def test_the_metrics_hold_what_the_database_says(surface: Front) -> None:
    transport = httpx.ASGITransport(app=surface)
    async with httpx.AsyncClient(transport=transport, base_url="http://guard") as client:
        told = (await client.get("/metrics")).text
    assert 'mailbox_guard_mailboxes{state="synced"} 0.0' in told
