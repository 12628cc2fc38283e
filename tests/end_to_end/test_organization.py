"""A Dataverse that turns out to be another organisation is answered for and otherwise left alone.

The cloud of the examples is reached, but another organisation is configured. Deliveries of the
configured one are decided; nothing that was learnt from the wrong rows has an effect. Corrected,
the same data directory catches up: it was the contradiction alone that held everything back.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from kernel import approvals
from kernel.clock import SystemClock
from kernel.database import Database
from kernel.failpoints import step
from tests.end_to_end.processes import PATIENCE_SECONDS, Processes, Running, free_port
from tests.end_to_end.tenant_cloud import TenantCloud
from tests.webhook_examples.examples import all_examples, tenant

pytestmark = pytest.mark.slow
STEP = step("tests.organization", "An approval of the tests of the organisation.")
THEIRS = tenant()["organization"]["id"]
OURS = "7e000000-0000-4000-8000-0000000000aa"
# Approved before the mix-up, for an owner who is no user of the organisation that answers.
HELD_RECORD = "b1000000-0000-4000-8000-0000000000aa"
HELD_OWNER = "a1000000-0000-4000-8000-0000000000aa"
ROUNDS = 3


def post(server: Running, number: str, organization: str = OURS) -> httpx.Response:
    """Post an example as if it came from that organisation."""
    example = next(one for one in all_examples() if one.name.startswith(f"{number}-"))
    assert THEIRS.encode() in example.body
    return httpx.post(
        f"{server.url}{example.url}",
        content=example.body.replace(THEIRS.encode(), organization.encode()),
        headers=example.headers,
        timeout=30,
    )


def until(condition: Callable[[], bool], server: Running) -> None:
    give_up = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < give_up, server.shown()
        time.sleep(0.05)  # noqa: TID251 - a real process takes real time.


def hold_an_approval(group: Processes) -> None:
    assert group.run("db", "upgrade").returncode == 0
    database = Database(f"sqlite:///{group.folder / 'data' / 'mailbox-guard.db'}")
    database.open()
    database.write_now(
        lambda c: approvals.grant(
            c,
            record_id=HELD_RECORD,
            address="anna@contoso.com",
            object_id="e1000000-0000-4000-8000-000000000001",
            owner_id=HELD_OWNER,
            owner_type="systemuser",
            evidence={},
            now=SystemClock().now(),
        ),
        step=STEP,
    )
    database.close()


def approved(group: Processes) -> set[str]:
    listed = json.loads(group.run("mailboxes", "list", "--output", "json").stdout)
    return {one["id"] for one in listed if one["approved"]}


def obligations(group: Processes) -> list[dict[str, Any]]:
    listed = json.loads(group.run("decisions", "list", "--output", "json").stdout)
    return [obligation for one in listed for obligation in one["obligations"]]


def remembered_rows(group: Processes) -> int:
    database = sqlite3.connect(group.folder / "data" / "mailbox-guard.db")
    try:
        count: int = database.execute("SELECT count(*) FROM guard_baselines").fetchone()[0]
        return count
    finally:
        database.close()


def test_nothing_but_answers_comes_of_an_organisation_that_is_not_the_configured_one(
    group: Processes, cloud: TenantCloud
) -> None:
    hold_an_approval(group)
    settings = {
        **cloud.settings,
        "reconcile_seconds": "0.2",
        "delegated_approver_role_id": tenant()["delegated_approver_role"],
    }
    server = group.start("serve", "--port", str(port := free_port()), **settings,
                         organization_id=OURS)  # fmt: skip
    server.port = port
    server.wait_for("organization_differs")

    # It says what is wrong, and the webhook answers as ever.
    status, state = server.readiness()
    assert (status, state["ready"], state["syncs"]) == (503, False, False)
    assert THEIRS in state["problem"]
    assert OURS in state["problem"]
    assert post(server, "05").status_code == 200
    assert post(server, "24").json()["decision"] == "allow"
    assert (late := post(server, "40")).status_code == 200
    assert late.json()["decision"] == "reject"
    foreign = post(server, "05", THEIRS)
    assert (foreign.status_code, foreign.json()["cause"]) == (403, "foreign")
    assert httpx.post(f"{server.url}/webhooks/dataverse").status_code == 401

    # It is asked again and again who it is, and that is all that comes of it.
    before = server.err.count("reconciliation_failed")
    until(lambda: server.err.count("reconciliation_failed") >= before + ROUNDS, server)
    assert server.readiness()[0] == 503
    assert cloud.written == []
    assert [one for one in cloud.asked if "/messages" in one or "/mailFolders" in one] == []
    assert approved(group) == {HELD_RECORD}
    assert remembered_rows(group) == 0
    waiting = obligations(group)
    assert {one["kind"] for one in waiting} >= {"grant", "revert"}
    assert {one["state"] for one in waiting} == {"queued"}
    assert server.terminate() == 0, server.shown()
    assert "Traceback" not in server.err

    # With the right setting everything that waited is done.
    server = group.serve("--no-sync", **settings, organization_id=THEIRS)
    until(lambda: bool(cloud.written), server)
    until(lambda: remembered_rows(group) == 3, server)
    until(lambda: HELD_RECORD not in approved(group), server)
    until(lambda: {one["state"] for one in obligations(group)} == {"done"}, server)
