"""Every example is posted to a real server, over real sockets, beside a cloud that is not ours."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import time

import httpx
import pytest

from tests.end_to_end.processes import PATIENCE_SECONDS, Processes, Running
from tests.end_to_end.tenant_cloud import TenantCloud
from tests.webhook_examples.examples import FOLDER, Example, all_examples, tenant
from tests.webhook_examples.test_answers import _differences

pytestmark = pytest.mark.slow


@pytest.fixture
def server(group: Processes, cloud: TenantCloud) -> Running:
    """`serve` as shipped, its organisation learnt from Dataverse."""
    started = group.serve(
        "--no-sync",
        **cloud.settings,
        delegated_approver_role_id=tenant()["delegated_approver_role"],
    )
    started.wait_until_ready(organization_id=tenant()["organization"]["id"])
    wait_for_the_first_comparison(group)
    return started


def wait_for_the_first_comparison(group: Processes) -> None:
    """Return once the guard has a copy of every guarded row of all three tables."""
    until = time.monotonic() + PATIENCE_SECONDS
    database = sqlite3.connect(group.folder / "data" / "mailbox-guard.db")
    try:
        while database.execute("SELECT count(*) FROM guard_baselines").fetchone()[0] < 3:
            assert time.monotonic() < until
            time.sleep(0.05)  # noqa: TID251 - a real process takes real time.
    finally:
        database.close()


def test_every_example_gets_its_answer_from_a_real_server(
    group: Processes, server: Running
) -> None:
    ids: dict[str, str] = {}
    wrong: dict[str, list[str]] = {}
    with httpx.Client(base_url=server.url, timeout=30) as client:
        for example in all_examples():
            answer = client.post(example.url, content=example.body, headers=example.headers)
            differences = _differences(example, answer, ids)
            if differences:
                wrong[example.name] = [*differences, answer.text]
    assert wrong == {}, server.shown()
    listed = json.loads(
        group.run("decisions", "list", "--limit", "1000", "--output", "json").stdout
    )
    decided = {one for one in ids.values() if one}
    assert decided <= {one["id"] for one in listed}
    assert group.run("decisions", "verify").returncode == 0
    assert server.terminate() == 0, server.shown()
    assert "Traceback" not in server.err


def by_hand(example: Example, url: str) -> httpx.Response:
    """The answer to the curl line of an example, pasted into a shell inside its folder."""
    line = example.curl.replace("http://127.0.0.1:8080", url)
    done = subprocess.run(
        ["bash", "-c", line], cwd=FOLDER / example.name, capture_output=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    heads, _, body = done.stdout.partition(b"\r\n\r\n")
    while heads.startswith(b"HTTP/1.1 100"):
        heads, _, body = body.partition(b"\r\n\r\n")
    return httpx.Response(int(heads.split()[1]), content=body)


def test_every_example_answers_by_hand_as_its_page_says(group: Processes) -> None:
    """The tenant of the examples in the sandbox, a guard beside it, and the curl lines."""
    _, settings = group.sandbox("--tenant", str(FOLDER / "tenant.yaml"))
    server = group.serve("--no-sync", **settings)
    server.wait_until_ready(organization_id=tenant()["organization"]["id"])
    wait_for_the_first_comparison(group)
    ids: dict[str, str] = {}
    wrong: dict[str, list[str]] = {}
    for example in all_examples():
        answer = by_hand(example, server.url)
        differences = _differences(example, answer, ids)
        if differences:
            wrong[example.name] = [*differences, answer.text]
    assert wrong == {}, server.shown()
