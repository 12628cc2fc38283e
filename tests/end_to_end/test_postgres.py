"""PostgreSQL goes away and comes back: what is said, what is answered, and how things end."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import httpx
import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.engine import make_url

from tests.end_to_end.processes import PATIENCE_SECONDS, Processes, Running
from tests.end_to_end.tenant_cloud import TenantCloud
from tests.webhook_examples.examples import all_examples

pytestmark = [pytest.mark.slow, pytest.mark.postgres]
EXAMPLE = next(one for one in all_examples() if one.expected.status == 403)
OPERATION = str((EXAMPLE.context or {})["OperationId"])


@dataclass(frozen=True, slots=True)
class Switch:
    """Takes the database of a test away, connections and all, and gives it back."""

    admin: Engine
    name: str

    def off(self) -> None:
        """Refuse new connections and end those that there are."""
        with self.admin.connect() as connection:
            connection.execute(text(f"ALTER DATABASE {self.name} ALLOW_CONNECTIONS false"))
            connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"
                ),
                {"name": self.name},
            )

    def freeze(self) -> list[int]:
        """Let nothing that is asked on the connections there are be answered; return who sleeps."""
        with self.admin.connect() as connection:
            found = connection.execute(
                text("SELECT pid FROM pg_stat_activity WHERE datname = :name"), {"name": self.name}
            )
            pids = [pid for (pid,) in found]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        return pids

    def on(self) -> None:
        """Take connections again."""
        with self.admin.connect() as connection:
            connection.execute(text(f"ALTER DATABASE {self.name} ALLOW_CONNECTIONS true"))


@pytest.fixture
def switch(postgres_server: str, postgres_url: str) -> Iterator[Switch]:
    server = make_url(postgres_server).set(drivername="postgresql+psycopg")
    admin = create_engine(server, isolation_level="AUTOCOMMIT")
    yield Switch(admin, str(make_url(postgres_url).database))
    admin.dispose()


def serve(group: Processes, url: str) -> Running:
    assert group.run("db", "upgrade", database_url=url).returncode == 0
    return group.serve("--no-sync", database_url=url)


def post(server: Running) -> httpx.Response:
    """Post one delivery that no other was like."""
    body = EXAMPLE.body.replace(OPERATION.encode(), str(uuid.uuid4()).encode())
    return httpx.post(
        f"{server.url}{EXAMPLE.url}", content=body, headers=EXAMPLE.headers, timeout=30
    )


def until(condition: Callable[[], bool], server: Running) -> None:
    give_up = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < give_up, server.shown()
        time.sleep(0.05)  # noqa: TID251 - a real process takes real time.


def test_a_server_lives_through_an_outage_and_decides_nothing_meanwhile(
    group: Processes, postgres_url: str, switch: Switch
) -> None:
    server = serve(group, postgres_url)
    before = post(server)
    assert before.status_code == 403

    switch.off()
    during = post(server)
    assert during.status_code == 503
    assert during.headers["content-type"] == "application/problem+json"
    assert "decision_id" not in during.json()
    status, state = server.readiness()
    assert (status, state["ready"]) == (503, False)
    assert "database" in state["problem"].lower()
    assert httpx.get(f"{server.url}/healthz").status_code == 200

    switch.on()
    until(lambda: server.readiness()[0] == 200, server)
    after = post(server)
    assert after.status_code == 403
    assert server.terminate() == 0, server.shown()
    assert "Traceback" not in server.err
    listed = group.run("decisions", "list", "--output", "json", database_url=postgres_url)
    told = [after.json()["decision_id"], before.json()["decision_id"]]
    assert [one["id"] for one in json.loads(listed.stdout)] == told
    assert group.run("decisions", "verify", database_url=postgres_url).returncode == 0


@pytest.fixture
def frozen(switch: Switch) -> Iterator[Callable[[], list[int]]]:
    """Freezes the connections of the test's database; what sleeps is woken at the end."""
    asleep: list[int] = []

    def freeze() -> list[int]:
        asleep.extend(switch.freeze())
        return asleep

    yield freeze
    for pid in asleep:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def test_a_database_that_hangs_keeps_nobody_waiting(
    group: Processes, postgres_url: str, frozen: Callable[[], list[int]]
) -> None:
    server = serve(group, postgres_url)
    before = post(server)
    assert before.status_code == 403

    pids = frozen()
    # The first is being written when its time is over, the second waits for its turn.
    with ThreadPoolExecutor(2) as callers:
        during = list(callers.map(post, [server, server]))
    assert [one.status_code for one in during] == [503, 503]
    for pid in pids:
        os.kill(pid, signal.SIGCONT)
    until(lambda: post(server).status_code == 403, server)
    assert server.terminate() == 0, server.shown()
    assert "Traceback" not in server.err
    assert group.run("decisions", "verify", database_url=postgres_url).returncode == 0


def test_a_server_ends_although_its_database_hangs(
    group: Processes, postgres_url: str, frozen: Callable[[], list[int]]
) -> None:
    server = serve(group, postgres_url)
    assert post(server).status_code == 403
    assert frozen()
    assert server.terminate() == 0, server.shown()
    assert "Traceback" not in server.err


def test_a_server_ends_cleanly_without_its_database(
    group: Processes, postgres_url: str, switch: Switch
) -> None:
    server = serve(group, postgres_url)
    assert post(server).status_code == 403
    switch.off()
    assert server.terminate() == 0, server.shown()
    assert "Traceback" not in server.err


def test_a_sync_loop_lives_through_an_outage_and_ends_cleanly(
    group: Processes, cloud: TenantCloud, postgres_url: str, switch: Switch
) -> None:
    assert group.run("db", "upgrade", database_url=postgres_url).returncode == 0
    loop = group.sync_loop(**cloud.settings, database_url=postgres_url)
    switch.off()
    until(lambda: "cannot be" in loop.err, loop)
    switch.on()
    once = group.run(
        "sync", "run", "--once", "--output", "json", **cloud.settings, database_url=postgres_url
    )
    assert once.returncode == 0, once.stderr + loop.shown()
    switch.off()
    assert loop.terminate() == 0, loop.shown()
    assert "Traceback" not in loop.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("serve", "--port", "0", "--no-sync"),
        ("sync", "run", "--once"),
        ("decisions", "list"),
        ("decisions", "verify"),
        ("mailboxes", "list"),
        ("scan",),
        ("db", "check"),
        ("db", "upgrade"),
    ],
    ids=" ".join,
)
def test_a_command_without_its_database_says_so(
    group: Processes,
    cloud: TenantCloud,
    postgres_url: str,
    switch: Switch,
    arguments: tuple[str, ...],
) -> None:
    switch.off()
    done = group.run(*arguments, **cloud.settings, database_url=postgres_url)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert done.stderr.startswith("error: The database cannot be opened: ")
    assert "\nhint: " in done.stderr
    assert "Traceback" not in done.stderr
