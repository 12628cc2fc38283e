"""`serve` on a database that was restored: it notices, and reads nobody's mail until confirmed."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from console.demo.person import DemoPerson
from guard.ledger.anchor import read_anchors
from sandbox import people
from sandbox.server import Sandbox
from sandbox.threaded import Threaded, running
from tests.end_to_end.processes import (
    PATIENCE_SECONDS,
    Processes,
    Running,
    free_port,
    processes,
)
from tests.end_to_end.test_content_policies import settings_of
from tests.end_to_end.test_scan import hold_approved

pytestmark = pytest.mark.slow
KEY = "a-key-of-the-restore-tests-0b7d52e94c81fa36"
FORGOT = "database_forgot_own_writes"
APPROVED, REJECTED = 1, 3
IDS = [f"b1000000-0000-4000-8000-00000000020{number}" for number in range(2)]


def listed(group: Processes) -> dict[str, bool]:
    found = json.loads(group.run("mailboxes", "list", "--output", "json").stdout)
    return {one["id"]: one["approved"] for one in found}


def save(file: Path, backup: Path) -> None:
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(backup)) as copy:
        source.backup(copy)


def put_back(file: Path, backup: Path) -> None:
    for one in file.parent.glob("mailbox-guard.db*"):
        one.unlink()
    file.write_bytes(backup.read_bytes())


def until(condition: Callable[[], Any], serving: Running) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < end, serving.shown()
        time.sleep(0.1)  # noqa: TID251 - real processes take real time.


def test_a_withdrawal_outlives_the_restore_of_an_older_database(tmp_path: Path) -> None:
    anchors = tmp_path / "elsewhere" / "anchors.jsonl"
    key = {"webhook_keys": KEY}
    with processes(tmp_path / "guard", anchor_file=str(anchors)) as group:
        hold_approved(group, IDS)
        serving = group.serve(**key)
        serving.terminate()
        # (1) A backup, then a person withdraws: the command writes an anchor itself.
        file, backup = group.folder / "data" / "mailbox-guard.db", tmp_path / "backup.db"
        save(file, backup)
        done = group.run("mailboxes", "withdraw", IDS[0], "--reason", "CHG-1", "--by", "Robin")
        assert done.returncode == 0
        assert read_anchors(anchors)[-1].withdrawn == (IDS[0],)
        # (2) The older database is put in place.
        put_back(file, backup)
        assert group.run("decisions", "verify").returncode == 0
        found = group.run("decisions", "verify", "--against", str(anchors))
        assert found.returncode == 1
        assert listed(group) == dict.fromkeys(IDS, True)
        # (3) The guard starts, and notices before anything else.
        serving = group.serve(**key)
        assert listed(group) == {IDS[0]: False, IDS[1]: True}
        _, state = serving.readiness()
        assert "1 approvals rest" in json.dumps(state)
        assert "database_differs_from_anchor" in serving.out + serving.err
        assert serving.terminate() == 0


class TestWithoutAnAnchor:
    """What Dataverse tells: a row that this guard put right, of which the database knows nothing.

    Bob's mailbox is approved. A person saves the database; then somebody points Anna's mailbox at
    the chief executive past the synchronous steps, and the guard puts that right.
    """

    def test_all_rest_until_their_evidence_was_looked_up_again(
        self, group: Processes, tmp_path: Path
    ) -> None:
        with running(Sandbox()) as threaded:
            file, backup = self.put_right_after_a_backup(group, threaded, tmp_path)
            settings = settings_of(threaded.sandbox) | {"webhook_keys": KEY}
            # (1) An older database, and nothing beside it: as long as Entra is silent, all rest.
            self.restore(file, backup)
            serving = group.serve(**settings | silent_graph(threaded.sandbox))
            until(lambda: resting(serving), serving)
            assert FORGOT in serving.out + serving.err
            assert resting(serving) == ["1 approvals rest until each was looked up again."]
            assert listed(group)[people.BOB.mailbox_id]
            assert serving.terminate() == 0
            # (2) Each goes on once its evidence was looked up, and is not stopped again.
            serving = group.serve(**settings)
            until(lambda: not resting(serving), serving)
            serving.terminate()
            serving = group.serve(**settings)
            assert not resting(serving)
            assert FORGOT not in serving.out + serving.err
            assert serving.terminate() == 0

    def test_a_process_that_only_syncs_notices_before_it_reads_a_mail(
        self, group: Processes, tmp_path: Path
    ) -> None:
        with running(Sandbox()) as threaded:
            file, backup = self.put_right_after_a_backup(group, threaded, tmp_path)
            self.restore(file, backup)
            settings = settings_of(threaded.sandbox)
            blind = settings | silent_graph(threaded.sandbox)
            done = group.run("sync", "run", "--once", "--output", "json", **blind)
            assert FORGOT in done.stderr
            assert json.loads(done.stdout)["listed"] == 0
            done = group.run("sync", "run", "--once", "--output", "json", **settings)
            assert json.loads(done.stdout)["listed"] > 0

    def put_right_after_a_backup(
        self, group: Processes, threaded: Threaded, folder: Path
    ) -> tuple[Path, Path]:
        """Return the database file of a guard that has ended, and an older copy of it."""
        sandbox, port = threaded.sandbox, free_port()
        sandbox.register(f"http://127.0.0.1:{port}/webhooks/dataverse", KEY)
        serving = group.start(
            "serve", "--no-sync", "--port", str(port),
            **settings_of(sandbox), webhook_keys=KEY, reconcile_seconds="1",
        )  # fmt: skip
        serving.port = port
        serving.wait_until_ready()

        def edits(alias: str, person: people.Sample, **values: Any) -> None:
            edit = DemoPerson(sandbox, alias).update("mailboxes", person.mailbox_id, values)
            assert threaded.run(edit).is_done

        file, backup = group.folder / "data" / "mailbox-guard.db", folder / "backup.db"
        edits("approver", people.BOB, emailrouteraccessapproval=APPROVED)
        until(lambda: listed(group).get(people.BOB.mailbox_id), serving)
        until(lambda: knows_every_row(file), serving)
        save(file, backup)
        for step in sandbox.rows("sdkmessageprocessingstep"):
            disabled = {"statecode": 1, "statuscode": 2} if step["mode"] == 0 else {}
            sandbox.dataverse.insert("sdkmessageprocessingstep", {**step, **disabled})
        edits("desk", people.ANNA, emailaddress=people.CEO.address)
        until(lambda: is_put_right(sandbox), serving)
        until(lambda: not has_open_tasks(file), serving)
        assert serving.terminate() == 0
        return file, backup

    def restore(self, file: Path, backup: Path) -> None:
        put_back(file, backup)
        (file.parent / "anchors.jsonl").unlink(missing_ok=True)


def silent_graph(sandbox: Sandbox) -> dict[str, str]:
    """Return settings with which nobody answers for Graph."""
    return {
        "graph_url": f"https://127.0.0.1:{free_port()}",
        "graph_scope": f"{sandbox.graph_url}/.default",
    }


def resting(serving: Running) -> list[str]:
    """Return what /readyz says of approvals that rest."""
    degraded = serving.readiness()[1]["degraded"]
    return [one.rpartition("; ")[2] for one in degraded if "approvals rest" in one]


def is_put_right(sandbox: Sandbox) -> bool:
    row = sandbox.row("mailbox", people.ANNA.mailbox_id)
    assert row is not None
    return row["emailaddress"] == people.ANNA.address and row["emailrouteraccessapproval"] == (
        REJECTED
    )


def knows_every_row(file: Path) -> bool:
    return asked(file, "SELECT count(*) FROM guard_baselines") == 3


def has_open_tasks(file: Path) -> bool:
    return asked(file, "SELECT count(*) FROM kernel_tasks WHERE state != 'done'") > 0


def asked(file: Path, question: str) -> int:
    with closing(sqlite3.connect(file)) as database:
        found: int = database.execute(question).fetchone()[0]
    return found
