"""A server that ends under load: whatever it answered stands in a ledger that is whole."""

from __future__ import annotations

import json
import signal
import sqlite3
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.end_to_end.processes import Processes, Running
from tests.webhook_examples.examples import all_examples

pytestmark = pytest.mark.slow
EXAMPLE = next(one for one in all_examples() if one.expected.status == 403)
OPERATION = str((EXAMPLE.context or {})["OperationId"])
CALLERS = 8
ENOUGH = 300


def distinct_deliveries() -> Iterator[bytes]:
    """Yield one delivery after another, each of an operation of its own."""
    while True:
        yield EXAMPLE.body.replace(OPERATION.encode(), str(uuid.uuid4()).encode())


def answered_until(end: Callable[[], object], server: Running) -> list[str]:
    """Load the server from many sides, end it in the middle, and return what it decided."""
    answered: list[str] = []
    is_enough = threading.Event()

    def call() -> None:
        deliveries = distinct_deliveries()
        with httpx.Client(base_url=server.url, headers=EXAMPLE.headers, timeout=10) as client:
            while True:
                try:
                    answer = client.post(EXAMPLE.url, content=next(deliveries))
                except httpx.TransportError:
                    return
                if answer.status_code == 503:
                    assert "decision_id" not in answer.json()
                    return
                assert answer.status_code == 403, answer.text
                answered.append(answer.json()["decision_id"])
                if len(answered) >= ENOUGH:
                    is_enough.set()

    with ThreadPoolExecutor(CALLERS) as pool:
        calls = [pool.submit(call) for _ in range(CALLERS)]
        is_enough.wait(60)
        end()
        for one in calls:
            one.result(30)
    return answered


def assert_all_stand(answered: list[str], group: Processes) -> None:
    assert len(answered) >= ENOUGH
    assert len(set(answered)) == len(answered)
    done = group.run("decisions", "list", "--limit", "1000000", "--output", "json")
    listed = {one["id"] for one in json.loads(done.stdout)}
    assert set(answered) <= listed
    assert group.run("decisions", "verify").returncode == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda one: one.name)
def test_what_was_answered_before_a_signal_stands_and_the_end_is_clean(
    group: Processes, number: signal.Signals
) -> None:
    server = group.serve("--no-sync")
    answered = answered_until(lambda: server.popen.send_signal(number), server)
    assert server.wait() == 0, server.shown()
    assert "Traceback" not in server.err
    assert_all_stand(answered, group)


def test_what_a_killed_server_answered_is_listed_and_proven(group: Processes) -> None:
    server = group.serve("--no-sync")
    assert_all_stand(answered_until(server.kill, server), group)

    # A second life, ended in peace, leaves a checkpoint: from then on a cut tail shows.
    server = group.serve("--no-sync")
    httpx.post(f"{server.url}{EXAMPLE.url}", content=EXAMPLE.body, headers=EXAMPLE.headers)
    assert server.terminate() == 0
    assert group.run("decisions", "verify").returncode == 0
    database = sqlite3.connect(group.folder / "data" / "mailbox-guard.db")
    with database:
        database.execute(
            "DELETE FROM guard_decisions WHERE id IN "
            "(SELECT id FROM guard_decisions ORDER BY id DESC LIMIT 1)"
        )
    database.close()
    done = group.run("decisions", "verify")
    assert done.returncode == 1
    assert done.stdout.startswith("Not whole: ")
