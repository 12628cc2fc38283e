"""A guard whose Dataverse turns out to be another organisation decides nothing and does nothing.

At the start: the cloud of the examples is down at first. Who answers isn't known yet, and
deliveries are decided without it. Then it is reached, but another organisation is configured: its
facts decide nothing, and nothing that waits is carried out. Corrected, the same data directory
catches up: it was the contradiction alone that held everything back.

Later: the address leads to another organisation while the guard runs, and back again.
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
from kernel.failpoints import failpoint
from tests.end_to_end.processes import PATIENCE_SECONDS, Processes, Running, free_port
from tests.end_to_end.tenant_cloud import TenantCloud
from tests.webhook_examples.examples import all_examples, tenant

pytestmark = pytest.mark.slow
STEP = failpoint("tests.organization", "An approval of the tests of the organisation.")
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
        failpoint=STEP,
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


def decided(group: Processes) -> list[str]:
    listed = json.loads(group.run("decisions", "list", "--output", "json").stdout)
    return [one["decision"] for one in listed]


def test_an_organisation_that_is_not_the_configured_one_decides_nothing_and_nothing_comes_of_it(
    group: Processes, cloud: TenantCloud
) -> None:
    hold_an_approval(group)
    settings = {
        **cloud.settings,
        "reconcile_seconds": "0.2",
        "delegated_approver_role_id": tenant()["delegated_approver_role"],
    }

    # While nobody says who it is, it decides on, with what it can't look up as missing.
    cloud.is_down = True
    server = group.serve("--no-sync", **settings, organization_id=OURS,
                         decision_deadline_seconds="0.5")  # fmt: skip
    assert post(server, "05").json()["cause"] == "error"
    assert post(server, "40").json()["decision"] == "reject"
    server.kill()
    assert {one["state"] for one in obligations(group)} == {"queued"}
    before = decided(group)

    # Another one answers: it says what is wrong, to Dataverse too, and takes no word from there.
    cloud.is_down = False
    server = group.start("serve", "--port", str(port := free_port()), **settings,
                         organization_id=OURS)  # fmt: skip
    server.port = port
    server.wait_for("organization_differs")
    status, state = server.readiness()
    assert (status, state["ready"], state["syncs"]) == (503, False, False)
    for number, organization in (("05", OURS), ("24", OURS), ("40", OURS), ("05", THEIRS)):
        refused = post(server, number, organization)
        assert (refused.status_code, refused.json()["detail"]) == (503, state["problem"])
    assert THEIRS in state["problem"]
    assert OURS in state["problem"]
    assert httpx.post(f"{server.url}/webhooks/dataverse").status_code == 401
    assert decided(group) == before

    # It is asked again and again who it is, and that is all that comes of it.
    failures = server.err.count("organization_differs")
    until(lambda: server.err.count("organization_differs") >= failures + ROUNDS, server)
    assert server.readiness()[0] == 503
    assert cloud.written == []
    assert [one for one in cloud.asked if "/messages" in one or "/mailFolders" in one] == []
    assert approved(group) == {HELD_RECORD}
    assert remembered_rows(group) == 0
    assert {one["state"] for one in obligations(group)} == {"queued"}
    assert server.terminate() == 0, server.shown()
    assert "Traceback" not in server.err

    # With the right setting it decides, and everything that waited is done.
    server = group.serve("--no-sync", **settings, organization_id=THEIRS)
    assert post(server, "05", THEIRS).json()["decision"] == "allow"
    until(lambda: remembered_rows(group) == 3, server)
    until(lambda: HELD_RECORD not in approved(group), server)
    until(lambda: {one["state"] for one in obligations(group)} == {"done"}, server)


def test_a_guard_that_is_started_again_knows_whose_it_is_while_nobody_answers(
    group: Processes, cloud: TenantCloud
) -> None:
    settings = {
        **cloud.settings,
        "delegated_approver_role_id": tenant()["delegated_approver_role"],
        "decision_deadline_seconds": "0.5",
    }
    server = group.serve("--no-sync", **settings)
    until(lambda: server.readiness()[1]["organization_id"] == THEIRS, server)
    server.kill()

    cloud.is_down = True
    server = group.serve("--no-sync", **settings)
    assert server.readiness()[1]["organization_id"] == THEIRS
    assert post(server, "05", OURS).json()["cause"] == "foreign"
    assert post(server, "05", THEIRS).json()["cause"] == "error"
    assert server.terminate() == 0, server.shown()

    # Nor is mail written into another organisation by a pass on its own.
    cloud.is_down = False
    cloud.tenant = {**cloud.tenant, "organization": {**cloud.tenant["organization"], "id": OURS}}
    once = group.run("sync", "run", "--once", **settings)
    assert once.returncode == 2
    assert f"Dataverse is organisation {OURS}, but was {THEIRS} until now." in once.stderr


def test_an_organisation_that_changes_while_the_guard_runs_is_noticed(
    group: Processes, cloud: TenantCloud
) -> None:
    server = group.serve(
        "--no-sync",
        **cloud.settings,
        reconcile_seconds="0.2",
        delegated_approver_role_id=tenant()["delegated_approver_role"],
    )
    until(lambda: server.readiness()[1]["organization_id"] == THEIRS, server)
    assert post(server, "05", THEIRS).json()["decision"] == "allow"

    cloud.tenant = {**cloud.tenant, "organization": {**cloud.tenant["organization"], "id": OURS}}
    server.wait_for("organization_differs")
    status, state = server.readiness()
    assert (status, state["problem"]) == (
        503,
        f"Dataverse is organisation {OURS}, but was {THEIRS} until now.",
    )
    refused = post(server, "40", THEIRS)
    assert (refused.status_code, refused.json()["detail"]) == (503, state["problem"])
    # What was under way when it changed comes to its end.
    failures = server.err.count("organization_differs")
    until(lambda: server.err.count("organization_differs") > failures, server)
    asked, failures = len(cloud.asked), server.err.count("organization_differs")
    until(lambda: server.err.count("organization_differs") >= failures + ROUNDS, server)
    assert {one.rpartition("/")[2] for one in cloud.asked[asked:]} == {"WhoAmI"}

    cloud.tenant = {**cloud.tenant, "organization": {**cloud.tenant["organization"], "id": THEIRS}}
    until(lambda: server.readiness()[0] == 200, server)
    assert post(server, "05", THEIRS).status_code == 200
    assert server.terminate() == 0, server.shown()
    assert "Traceback" not in server.err
