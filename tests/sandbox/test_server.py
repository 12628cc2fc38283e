"""The sandbox as its users hold it: settings, people, logs."""

from __future__ import annotations

from datetime import UTC, datetime

import httpx

from kernel.clock import FrozenClock
from sandbox import people
from sandbox.dataverse.rows import Ref
from sandbox.server import Sandbox


async def test_three_origins_so_that_token_scopes_differ(sandbox) -> None:
    urls = {sandbox.graph_url, sandbox.dataverse_url, sandbox.authority_url.rsplit("/", 1)[0]}
    assert len(urls) == 3
    assert all(url.startswith("https://") for url in urls)


async def test_an_employee_is_known_everywhere(sandbox, webapi, graph) -> None:
    sample = sandbox.add_employee("dora", title="Dora", approved=True)
    row = sandbox.row("mailbox", sample.mailbox_id)
    assert row["regardingobjectid"] == Ref("systemuser", sample.user_id)
    assert row["emailrouteraccessapproval"] == 1
    assert (await webapi("dora", "GET", "WhoAmI")).json()["UserId"] == sample.user_id
    message = sandbox.deliver_mail("dora", subject="Welcome", files=(("a.txt", b"abc"),))
    found = await graph("GET", f"users/{sample.object_id}/messages")
    assert [one["subject"] for one in found.json()["value"]] == ["Welcome"]
    assert message.attachments[0].content == b"abc"


async def test_ids_are_the_same_in_every_sandbox_and_secrets_are_not(sandbox) -> None:
    other = Sandbox()
    assert other.settings()["MAILBOX_GUARD_TENANT_ID"] == people.TENANT_ID
    assert other.guard_identity.client_id == sandbox.guard_identity.client_id
    assert other.guard_identity.secret != sandbox.guard_identity.secret
    await other.stop()


async def test_time_is_the_clocks(clock: FrozenClock) -> None:
    async with Sandbox(clock=clock) as still:
        message = still.deliver_mail("anna", subject="Now")
        assert message.properties["receivedDateTime"] == "2026-11-23T12:00:00Z"
        clock.advance(3600)
        assert (
            still.deliver_mail("anna", subject="Later").properties["receivedDateTime"]
            > (message.properties["receivedDateTime"])
        )


async def test_what_was_not_read_is_not_in_the_log(sandbox, graph) -> None:
    await graph("GET", f"users/{people.BOB.object_id}/messages")
    touched = [one.path for one in sandbox.access_log() if one.origin == "graph"]
    assert len(touched) == 1
    assert not any(people.CEO.object_id in path for path in touched)


async def test_answers_are_dated_by_the_clock_that_dates_the_rows() -> None:
    clock = FrozenClock(datetime(2026, 3, 1, 12, 0, tzinfo=UTC))
    sandbox = Sandbox(clock=clock)
    trust = sandbox.certificates.client_context()
    async with sandbox, httpx.AsyncClient(verify=trust) as client:
        answer = await client.get(f"{sandbox.dataverse_url}/api/data/v9.2/WhoAmI")
    assert answer.headers.get_list("date") == ["Sun, 01 Mar 2026 12:00:00 GMT"]
