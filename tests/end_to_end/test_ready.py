"""`/readyz` says ready only while a decision would be made now, and says what cannot be done."""

from __future__ import annotations

import os
import resource
import shutil
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from kernel.clock import SystemClock
from tests.end_to_end.processes import PATIENCE_SECONDS, Processes, Running, free_port
from tests.end_to_end.tenant_cloud import TenantCloud
from tests.end_to_end.test_serve_refused import FOREVER
from tests.webhook_examples.examples import Example, all_examples

pytestmark = pytest.mark.slow
EXAMPLE, ANOTHER = [one for one in all_examples() if one.expected.status == 403][:2]


def post(server: Running, example: Example = EXAMPLE) -> httpx.Response:
    return httpx.post(
        f"{server.url}{example.url}", content=example.body, headers=example.headers, timeout=30
    )


def until(server: Running, fits: Callable[[int, dict[str, Any]], bool]) -> dict[str, Any]:
    give_up = time.monotonic() + PATIENCE_SECONDS
    while True:
        status, state = server.readiness()
        if fits(status, state):
            return state
        assert time.monotonic() < give_up, (status, state, server.shown())
        time.sleep(0.05)  # noqa: TID251 - a real process takes real time.


def is_unready(status: int, state: dict[str, Any]) -> bool:
    return (status, state["ready"], state["status"]) == (503, False, "unready")


def started(group: Processes, *arguments: str, **settings: str) -> Running:
    port = free_port()
    server = group.start("serve", "--port", str(port), *arguments, **settings)
    server.port = port
    server.wait_for("listens on")
    return server


def test_with_a_wrong_secret_it_never_is_ready(group: Processes, cloud: TenantCloud) -> None:
    wrong = {**cloud.settings, "client_secret": "a-secret-that-is-wrong"}
    server = started(group, "--no-sync", **wrong)
    assert is_unready(*server.readiness())
    state = until(server, lambda status, state: "AADSTS7000215" in str(state["problem"]))
    assert is_unready(*server.readiness())
    assert "a-secret-that-is-wrong" not in str(state)
    # What can be refused without anybody's answer is refused all the same, and recorded.
    assert post(server).status_code == 403


def test_while_dataverse_is_away_it_decides_and_says_what_it_lacks(
    group: Processes, cloud: TenantCloud
) -> None:
    cloud.is_down = True
    server = group.serve("--no-sync", reconcile_seconds="0.5", **cloud.settings)
    state = until(server, lambda status, state: "does not answer" in str(state["degraded"]))
    assert (state["ready"], state["status"]) == (True, "degraded")
    cloud.is_down = False
    until(server, lambda status, state: (status, state["status"]) == (200, "ready"))


def test_on_a_full_disk_it_is_not_ready_until_there_is_room(group: Processes) -> None:
    server = group.serve("--no-sync")
    assert post(server).status_code == 403
    limit = resource.RLIMIT_FSIZE
    before = resource.prlimit(server.popen.pid, limit)
    data = group.folder / "data"
    largest = max(path.stat().st_size for path in data.glob("mailbox-guard.db*"))
    resource.prlimit(server.popen.pid, limit, (min(largest, 4096), before[1]))
    state = until(server, is_unready)
    assert "cannot be written" in state["problem"]
    assert post(server, ANOTHER).status_code == 503
    resource.prlimit(server.popen.pid, limit, before)
    until(server, lambda status, state: status == 200)
    assert post(server, ANOTHER).status_code == 403


def replaced(file: Path) -> None:
    shutil.copy(file, file.with_suffix(".copy"))
    os.replace(file.with_suffix(".copy"), file)


@pytest.mark.parametrize("happens", [Path.unlink, replaced], ids=["unlinked", "replaced"])
def test_without_its_database_file_it_decides_nothing_and_says_so(
    group: Processes, happens: Callable[[Path], None]
) -> None:
    server = group.serve("--no-sync")
    assert post(server).status_code == 403
    happens(group.folder / "data" / "mailbox-guard.db")
    assert post(server).status_code == 503
    status, state = server.readiness()
    assert is_unready(status, state)
    assert "removed or replaced" in state["problem"]
    assert server.terminate() == 0, server.shown()


def test_a_named_pipe_in_the_policy_folder_stops_nothing(group: Processes, policies: Path) -> None:
    os.mkfifo(policies / "early.yaml")
    server = group.serve("--no-sync", policies_dir=str(policies))
    first = server.readiness()[1]["policy_set"]
    os.mkfifo(policies / "late.yaml")
    (policies / "exceptions").mkdir(exist_ok=True)
    (policies / "exceptions" / "fabrikam-merger.yaml").write_text(
        FOREVER.replace("2099-12-31", "2026-12-20")
    )
    until(server, lambda status, state: state["policy_set"]["digest"] != first["digest"])
    assert post(server).status_code == 403
    assert server.terminate() == 0, server.shown()


def test_a_secret_that_ends_within_a_week_is_seen_from_outside(group: Processes) -> None:
    ends = (SystemClock().now() + timedelta(days=3)).date().isoformat()
    server = group.serve("--no-sync", client_secret="an-example-secret", client_secret_ends=ends)
    _, state = server.readiness()
    assert state["status"] == "degraded"
    told = [one for one in state["degraded"] if "client secret ends on" in one]
    assert told == [
        f"The guard's client secret ends on {ends}: make a new one beside it, and set that."
    ]
    assert (
        "mailbox_guard_credential_ends_timestamp_seconds{"
        in httpx.get(f"{server.url}/metrics").text
    )
    assert "credential_ends" in server.err
    assert "an-example-secret" not in server.err
