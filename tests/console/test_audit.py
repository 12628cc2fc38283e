"""`audit import` answers who read what, from Microsoft's own record and ours."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from guard.ledger.stored import StoredLedger
from kernel import approvals
from kernel.clock import FrozenClock
from kernel.database import Database
from sync.model.read import Read
from sync.store import access
from tests.conftest import NOON
from tests.console.conftest import TEST, Run
from tests.guard.ledger.test_stored import an_entry

DATA = Path(__file__).parents[1] / "data" / "audit"
APP = "99999999-9999-4999-8999-999999999999"
ROW = "55555555-5555-4555-8555-555555555555"


@pytest.fixture
async def watched(
    guard_database: Database, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Anna's mailbox is approved and was read at noon; one edit of it was decided."""
    monkeypatch.setenv("MAILBOX_GUARD_CLIENT_ID", APP.upper())
    grant = {
        "record_id": ROW, "address": "anna.berg@contoso.com", "object_id": "o1", "owner_id": "u1",
        "owner_type": "user", "evidence": {"upn": "Anna@contoso.com"}, "now": clock.now(),
    }  # fmt: skip
    guard_database.write_now(lambda c: approvals.grant(c, **grant), failpoint=TEST)
    reads = [Read(at=NOON, operation="messages", item_count=3)]
    guard_database.write_now(
        lambda c: access.record(
            c, reads, record_id=ROW, object_id="o1", workload="incoming-mail", epoch=1
        ),
        failpoint=TEST,
    )
    await StoredLedger(guard_database, clock).record(
        replace(an_entry(clock), record_id=ROW, decided_at=NOON)
    )


@pytest.mark.parametrize("name", ["records.jsonl", "purview.csv"])
def test_what_nobody_saw_is_listed_with_who_and_when(run: Run, watched: None, name: str) -> None:
    done = run("audit", "import", DATA / name, "--output", "json")
    told: dict[str, Any] = json.loads(done.out)
    assert done.code == 1
    assert [(one["kind"], one["who"], one["first"][11:16]) for one in told["unseen"]] == [
        ("own-app-unlogged", APP, "15:00"),
        ("own-app-elsewhere", APP, "12:02"),
        ("other-app", "88888888-8888-4888-8888-888888888888", "13:00"),
        ("other-person", "ben@contoso.com", "13:05"),
        ("undecided-edit", "mallory@contoso.com", "14:00"),
    ]
    assert told["counts"]["repeats"] == 1
    assert told["counts"]["own_app_logged"] == told["counts"]["decided"] == 1
    assert told["inconclusive"] == {"columns": 1}
    assert [one["mailbox"] for one in told["not_recorded_by_microsoft"]] == ["anna@contoso.com"]


def test_people_read_it_as_sentences(run: Run, watched: None) -> None:
    done = run("audit", "import", DATA / "records.jsonl")
    assert "other-person: Somebody other than its owner read such a mailbox." in done.out
    assert "2026-11-23T13:05:00Z  ben@contoso.com  anna@contoso.com, 1 item" in done.out
    assert "mallory@contoso.com  Update of mailbox 66666666" in done.out
    assert "not recorded by Microsoft: anna@contoso.com" in done.out
    assert "1 records came twice" in done.out


def test_when_all_was_seen_the_answer_is_yes(run: Run, watched: None, tmp_path: Path) -> None:
    lines = (DATA / "records.jsonl").read_text().splitlines()
    (tmp_path / "seen.jsonl").write_text("\n".join([lines[0], lines[5], lines[8]]))
    done = run("audit", "import", "seen.jsonl")
    assert (done.code, done.out.splitlines()[0][:16]) == (0, "2 reads of mail:")
    (tmp_path / "known.jsonl").write_text(lines[3])
    other = json.loads(lines[3])["AppId"]
    assert run("audit", "import", "known.jsonl").code == 1
    assert run("audit", "import", "known.jsonl", "--known-app", other).code == 0


def test_what_is_no_export_is_refused(run: Run, watched: None, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a,b\n")
    done = run("audit", "import", "x.csv")
    assert done.code == 2
    assert "no column AuditData" in done.err
