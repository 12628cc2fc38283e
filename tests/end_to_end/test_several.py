"""Three processes serve on one PostgreSQL: killed one at a time under load, nothing is lost."""

from __future__ import annotations

import itertools
import json
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable

import httpx
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from tests.end_to_end.processes import PATIENCE_SECONDS, Processes, Running
from tests.end_to_end.tenant_cloud import TenantCloud
from tests.webhook_examples.examples import all_examples

pytestmark = [pytest.mark.slow, pytest.mark.postgres]
EXAMPLE = next(one for one in all_examples() if one.expected.status == 403)
OPERATION = str((EXAMPLE.context or {})["OperationId"])
CLIENTS = 3
KILLED_AFTER = 15


class Balancer:
    """Sends each delivery to one of the processes, and to the next where it gets no answer.

    So does Dataverse's caller behind a balancer: what was not answered is asked again.
    """

    def __init__(self) -> None:
        self.servers: list[Running] = []
        self.answered: dict[str, str] = {}
        self.odd: list[str] = []
        self.stop = threading.Event()
        self._turns = itertools.count()
        self._lock = threading.Lock()

    def work(self) -> None:
        """Post deliveries that no other is like until told to stop."""
        with httpx.Client(timeout=30) as client:
            while not self.stop.is_set():
                operation = str(uuid.uuid4())
                body = EXAMPLE.body.replace(OPERATION.encode(), operation.encode())
                decision_id = self._answer(client, body)
                with self._lock:
                    self.answered[operation] = decision_id

    def _answer(self, client: httpx.Client, body: bytes) -> str:
        give_up = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < give_up:
            server = self.servers[next(self._turns) % len(self.servers)]
            try:
                answer = client.post(
                    f"{server.url}{EXAMPLE.url}", content=body, headers=EXAMPLE.headers
                )
            except httpx.TransportError:
                continue
            if answer.status_code == 403:
                return str(answer.json()["decision_id"])
            if answer.status_code != 503:
                self.odd.append(f"{answer.status_code} {answer.text[:200]}")
        raise AssertionError("no process answered")

    def wait_for(self, count: int) -> None:
        """Return once so many were answered."""
        until(lambda: len(self.answered) >= count)


def until(condition: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 2 * PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.05)  # noqa: TID251 - a real process takes real time.


def test_one_after_the_other_is_killed_and_nothing_is_lost(
    group: Processes, cloud: TenantCloud, postgres_url: str
) -> None:
    assert group.run("db", "upgrade", database_url=postgres_url).returncode == 0
    settings = {**cloud.settings, "database_url": postgres_url, "reconcile_seconds": "1"}

    def serve(number: int) -> Running:
        # Each on a machine of its own, as far as files go.
        folder = str(group.folder / f"machine-{number}")
        return group.serve("--no-sync", **settings, data_dir=folder)

    balancer = Balancer()
    balancer.servers = [serve(number) for number in range(3)]
    clients = [threading.Thread(target=balancer.work) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    try:
        for number in range(3):
            balancer.wait_for(len(balancer.answered) + KILLED_AFTER)
            balancer.servers[number].kill()
            balancer.wait_for(len(balancer.answered) + KILLED_AFTER)
            balancer.servers[number] = serve(number + 3)
    finally:
        balancer.stop.set()
        for client in clients:
            client.join(2 * PATIENCE_SECONDS)
    assert balancer.odd == []

    # Each says by itself that it would decide.
    for server in balancer.servers:
        status, state = server.readiness()
        assert (status, state["problem"]) == (200, None), server.shown()
    # What was answered is there as it was answered, once, whoever was killed when.
    listed = group.run(
        "decisions", "list", "--output", "json", "--limit", "100000", database_url=postgres_url
    )
    decided = {
        one["id"]: one["decision"] for one in json.loads(listed.stdout) if one["mode"] is not None
    }
    assert len(set(balancer.answered.values())) == len(balancer.answered) >= 6 * KILLED_AFTER
    assert {decided.get(one) for one in balancer.answered.values()} == {"reject"}
    operations = operations_of(postgres_url)
    assert max(operations.values()) == 1
    assert set(balancer.answered) <= set(operations)
    verified = group.run("decisions", "verify", database_url=postgres_url)
    assert verified.returncode == 0, verified.stdout

    # What is watched over again and again is done by one of them, and by another when it goes.
    *going, staying = balancer.servers
    for server in going:
        assert server.terminate() == 0, server.shown()
        assert "Traceback" not in server.err
    before = held_until(postgres_url)
    until(lambda: held_until(postgres_url) > before)
    assert staying.terminate() == 0, staying.shown()
    assert "Traceback" not in staying.err


def operations_of(url: str) -> Counter[str]:
    """Return how many decisions there are of each delivery."""
    rows = _asked(url, "SELECT public FROM guard_decisions")
    told = (json.loads(str(public)).get("operation_id") for (public,) in rows)
    return Counter(one for one in told if one)


def held_until(url: str) -> int:
    """Return until when the duty of reconciliation is held."""
    found = _asked(url, "SELECT held_until FROM kernel_duties WHERE name = 'reconciliation'")
    return int(str(found[0][0]))


def _asked(url: str, statement: str) -> list[tuple[object, ...]]:
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
    with engine.connect() as connection:
        rows = [tuple(row) for row in connection.execute(text(statement))]
    engine.dispose()
    return rows
