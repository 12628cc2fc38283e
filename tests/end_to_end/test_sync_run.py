"""`sync run` beside `serve`: one loops, the other asks it."""

from __future__ import annotations

import json
import sqlite3

import pytest

from tests.end_to_end.processes import Processes
from tests.end_to_end.tenant_cloud import TenantCloud
from tests.webhook_examples.examples import tenant

pytestmark = pytest.mark.slow
COUNTS = {
    "mailboxes", "listed", "tracked", "created", "updated", "skipped", "quarantined", "sent",
    "removed", "graph_requests", "dataverse_requests",
}  # fmt: skip


def test_one_pass_without_an_approved_mailbox_touches_none(
    group: Processes, cloud: TenantCloud
) -> None:
    done = group.run("sync", "run", "--once", "--output", "json", **cloud.settings)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report.keys() >= COUNTS
    assert (report["mailboxes"], report["listed"]) == (0, 0)
    assert [one for one in cloud.asked if "/messages" in one or "/mailFolders" in one] == []


def test_a_missing_dataverse_is_named(group: Processes) -> None:
    done = group.run("sync", "run", "--once")
    assert (done.returncode, done.stdout) == (2, "")
    assert "MAILBOX_GUARD_DATAVERSE_URL is not set" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_secret_is_told_without_the_secret(group: Processes, cloud: TenantCloud) -> None:
    wrong = {**cloud.settings, "client_secret": "a-secret-that-is-wrong"}
    done = group.run("sync", "run", "--once", seconds=110, **wrong)
    assert done.returncode == 2
    assert "AADSTS7000215" in done.stderr
    assert "a-secret-that-is-wrong" not in done.stdout + done.stderr


def test_another_organisation_than_the_configured_one_is_refused(
    group: Processes, cloud: TenantCloud
) -> None:
    other = {**cloud.settings, "organization_id": "6f0c2c1e-0000-4000-8000-000000000000"}
    done = group.run("sync", "run", "--once", **other)
    assert done.returncode == 2
    assert tenant()["organization"]["id"] in done.stderr
    assert "MAILBOX_GUARD_ORGANIZATION_ID" in done.stderr


def test_a_second_loop_is_refused_and_a_single_pass_is_asked_of_the_first(
    group: Processes, cloud: TenantCloud
) -> None:
    first = group.sync_loop(**cloud.settings)
    done = group.run("sync", "run", **cloud.settings)
    assert done.returncode == 2
    assert f"Process {first.popen.pid} already runs the sync loop" in done.stderr
    once = group.run("sync", "run", "--once", "--output", "json", **cloud.settings)
    assert once.returncode == 0, once.stderr
    assert json.loads(once.stdout)["mailboxes"] == 0
    assert first.terminate() == 0, first.shown()
    assert "Traceback" not in first.err


def test_a_loop_beside_a_server_that_loops_is_refused(group: Processes, cloud: TenantCloud) -> None:
    server = group.serve(**cloud.settings)
    server.wait_until_ready(syncs=True)
    done = group.run("sync", "run", **cloud.settings)
    assert done.returncode == 2
    assert f"Process {server.popen.pid} already runs the sync loop" in done.stderr
    once = group.run("sync", "run", "--once", "--output", "json", **cloud.settings)
    assert once.returncode == 0, once.stderr
    assert server.terminate() == 0, server.shown()
    assert "Traceback" not in server.err


def test_a_loop_runs_beside_a_server_that_does_not(group: Processes, cloud: TenantCloud) -> None:
    server = group.serve("--no-sync", **cloud.settings)
    loop = group.sync_loop(**cloud.settings)
    assert server.wait_until_ready()["syncs"] is False
    assert loop.terminate() == 0, loop.shown()
    assert server.terminate() == 0, server.shown()


def test_a_loop_notices_another_schema_and_ends_cleanly(
    group: Processes, cloud: TenantCloud
) -> None:
    loop = group.sync_loop(**cloud.settings)
    with sqlite3.connect(group.folder / "data" / "mailbox-guard.db") as database:
        database.execute("UPDATE kernel_schema SET number = number + 1")
    database.close()
    loop.wait_for("schema_outdated")
    assert loop.terminate() == 0, loop.shown()
    assert "Traceback" not in loop.err
