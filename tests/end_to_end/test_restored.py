"""`serve` on a database that was restored: it notices, and reads nobody's mail until confirmed."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from guard.ledger.anchor import read_anchors
from tests.end_to_end.processes import Processes, processes
from tests.end_to_end.test_scan import hold_approved

pytestmark = pytest.mark.slow
IDS = [f"b1000000-0000-4000-8000-00000000020{number}" for number in range(2)]


def listed(group: Processes) -> dict[str, bool]:
    found = json.loads(group.run("mailboxes", "list", "--output", "json").stdout)
    return {one["id"]: one["approved"] for one in found}


def test_a_withdrawal_outlives_the_restore_of_an_older_database(tmp_path: Path) -> None:
    anchors = tmp_path / "elsewhere" / "anchors.jsonl"
    key = {"webhook_keys": "a-key-of-the-restore-tests-0b7d52e94c81fa36"}
    with processes(tmp_path / "guard", anchor_file=str(anchors)) as group:
        hold_approved(group, IDS)
        serving = group.serve(**key)
        serving.terminate()
        # (1) A backup, then a person withdraws: the command writes an anchor itself.
        file, backup = group.folder / "data" / "mailbox-guard.db", tmp_path / "backup.db"
        with sqlite3.connect(file) as source, sqlite3.connect(backup) as copy:
            source.backup(copy)
        done = group.run("mailboxes", "withdraw", IDS[0], "--reason", "CHG-1", "--by", "Robin")
        assert done.returncode == 0
        assert read_anchors(anchors)[-1].withdrawn == (IDS[0],)
        # (2) The older database is put in place.
        for one in file.parent.glob("mailbox-guard.db*"):
            one.unlink()
        file.write_bytes(backup.read_bytes())
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
