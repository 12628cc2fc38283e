"""An auditor with a copy of the database, anchors and Microsoft's own audit finds what was done."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path

import httpx

from tests.console.ledger.test_export import a_key
from tests.end_to_end.processes import Processes
from tests.end_to_end.tenant_cloud import GUARD_APP, TenantCloud
from tests.webhook_examples.examples import all_examples

EXAMPLE = next(one for one in all_examples() if one.expected.status == 403)
MAILBOX = "ceo@contoso.com"


def a_read(app_id: str) -> str:
    """Return Microsoft's record of a read of the chief's mailbox."""
    return json.dumps(
        {
            "CreationTime": "2026-11-23T12:00:00",
            "Id": app_id,
            "Operation": "MailItemsAccessed",
            "AppId": app_id,
            "ClientInfoString": "Client=REST;",
            "MailboxOwnerUPN": MAILBOX,
            "OperationCount": 1,
        }
    )


def test_what_was_exported_and_anchored_shows_what_was_rewritten(
    group: Processes, cloud: TenantCloud, tmp_path: Path
) -> None:
    key, public = a_key(tmp_path / "key")
    (tmp_path / "keys").write_text("ef" * 32)
    settings = {
        **cloud.settings,
        "anchor_key_file": str(key),
        "pseudonym_key_file": str(tmp_path / "keys"),
    }
    server = group.serve("--no-sync", **settings)
    answer = httpx.post(
        f"{server.url}{EXAMPLE.url}", content=EXAMPLE.body, headers=EXAMPLE.headers, timeout=30
    )
    assert answer.status_code == 403
    # The export is made beside the running process, the last anchor when it ends.
    export = group.run("decisions", "export", "--output", f"jsonl={tmp_path}/all.jsonl", **settings)
    assert export.returncode == 0, export.stderr
    masked = group.run("decisions", "export", "--masked", **settings)
    assert server.terminate() == 0, server.shown()
    ids = [json.loads(line)["id"] for line in (tmp_path / "all.jsonl").read_text().splitlines()]
    assert answer.json()["decision_id"] in ids
    assert "contoso.com" not in masked.stdout
    assert len(masked.stdout.splitlines()) == len(ids)

    # The auditor has files alone, and the public half of the key.
    data = Path(group.settings["data_dir"])
    anchors = tmp_path / "anchors.jsonl"
    shutil.copy(data / "anchors.jsonl", anchors)
    proved = group.run(
        "decisions", "verify", "--export", f"{tmp_path}/all.jsonl", "--public-key", str(public)
    )
    assert proved.returncode == 0, proved.stdout
    against = ("--against", str(anchors), "--public-key", str(public))
    assert group.run("decisions", "verify", *against).returncode == 0
    again = group.run("decisions", "replay", "--output", "json")
    assert json.loads(again.stdout)["otherwise"] == 0

    # Whoever owns the database takes all of it away, consistently.
    with sqlite3.connect(data / "mailbox-guard.db") as owned:
        for table in ("guard_decisions", "guard_chains", "guard_checkpoints", "guard_policy_sets"):
            owned.execute(f"DELETE FROM {table}")
        owned.execute("DELETE FROM kernel_acts")
        owned.execute("DELETE FROM kernel_acts_end")
    assert group.run("decisions", "verify").returncode == 0
    found = group.run("decisions", "verify", *against)
    assert (found.returncode, found.stdout.startswith("Not whole")) == (1, True)

    # And our application's secret was used elsewhere.
    (tmp_path / "audit.jsonl").write_text(a_read(GUARD_APP) + "\n")
    read = group.run("audit", "import", f"{tmp_path}/audit.jsonl", **settings)
    assert read.returncode == 1
    assert "own-app-elsewhere" in read.stdout
