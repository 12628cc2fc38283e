"""`decisions export` writes what the ledger holds, and the file proves itself."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from sqlalchemy import text

from guard.ledger.export import ROWS_AT_ONCE
from guard.ledger.stored import StoredLedger
from kernel.clock import FrozenClock
from kernel.database import Database
from kernel.ids import new_id
from rules.load.loader import load
from rules.model.change import Change, Facts
from tests.console.conftest import TEST, Run
from tests.console.recording import a_folder, an_entry, recorded

ANNA = "anna@contoso.com"
BEFORE = {"emailaddress": "old@contoso.com"}
FACTS = Facts({"new.owner.type": "user", "new.owner.upn": ANNA})


def a_change(number: int, address: str = ANNA) -> Change:
    return Change(
        "mailbox", "update", f"r{number}", BEFORE, {"emailaddress": address}, frozenset(BEFORE)
    )


def a_key(folder: Path) -> tuple[Path, Path]:
    """Make a signing key; return the files of its private and of its public half."""
    folder.mkdir(exist_ok=True)
    key, private, public = Ed25519PrivateKey.generate(), folder / "key.pem", folder / "public.pem"
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public.write_bytes(
        key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    return private, public


def rows_of(file: str) -> list[dict[str, str]]:
    with Path(file).open(newline="") as opened:
        return list(csv.DictReader(opened))


def lines_of(file: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(file).read_text().splitlines()]


@pytest.fixture
async def ids(guard_database: Database, clock: FrozenClock, tmp_path: Path) -> list[str]:
    """Three decisions a minute apart, the last one rejected, with what looks like a formula."""
    policy_set = load(a_folder(tmp_path / "policies"))
    changes = [a_change(1), a_change(2), a_change(3, "=cmd@contoso.com")]
    return await recorded(guard_database, clock, policy_set, [(one, FACTS) for one in changes])


def test_every_decision_is_a_line_the_oldest_first(run: Run, ids: list[str]) -> None:
    done = run("decisions", "export")
    lines = [json.loads(line) for line in done.out.splitlines()]
    assert done.code == 0
    assert [one["id"] for one in lines] == ids
    shown = json.loads(run("decisions", "show", ids[2], "--output", "json").out)
    assert {name: shown[name] for name in lines[2] if name != "chain"} == {
        name: value for name, value in lines[2].items() if name != "chain"
    }
    assert lines[2]["chain"]["place"] == 2
    assert len(lines[2]["chain"]["digest"]) == 64


def test_filters_and_a_range_choose(run: Run, ids: list[str], clock: FrozenClock) -> None:
    middle = [
        "--since", (clock.now() - timedelta(seconds=150)).isoformat(),
        "--until", (clock.now() - timedelta(seconds=90)).isoformat(),
    ]  # fmt: skip
    (line,) = run("decisions", "export", *middle).out.splitlines()
    assert json.loads(line)["id"] == ids[1]
    (line,) = run("decisions", "export", "--address", "=CMD@contoso.com").out.splitlines()
    assert json.loads(line)["id"] == ids[2]


def test_what_was_exported_can_be_simulated(run: Run, ids: list[str], tmp_path: Path) -> None:
    assert run("decisions", "export", "--output", "jsonl=out.jsonl").code == 0
    done = run(
        "policy", "simulate", "--from", "out.jsonl", "--policies", tmp_path / "policies",
        "--output", "json",
    )  # fmt: skip
    assert done.code == 0
    assert json.loads(done.out)["replayed"] == 3


def test_a_spreadsheet_gets_no_formula(run: Run, ids: list[str]) -> None:
    assert run("decisions", "export", "--output", "csv=out.csv").code == 0
    rows = rows_of("out.csv")
    assert [row["id"] for row in rows] == ids
    assert rows[2]["address_after"] == "'=cmd@contoso.com"


async def test_pages_join_without_a_gap(
    run: Run, guard_database: Database, clock: FrozenClock, tmp_path: Path
) -> None:
    policy_set = load(a_folder(tmp_path / "policies"))
    entry = an_entry(a_change(1), FACTS, policy_set, now=clock.now())
    ledger = StoredLedger(guard_database, clock)
    ids = [new_id(clock.now()) for _ in range(ROWS_AT_ONCE + 1)]
    for waiting in [ledger.record(replace(entry, id=one)) for one in ids]:
        await waiting
    for form in ("jsonl", "csv"):
        assert run("decisions", "export", "--output", f"{form}=out.{form}").code == 0
    assert [one["id"] for one in lines_of("out.jsonl")] == ids
    assert [row["id"] for row in rows_of("out.csv")] == ids
    assert "501 decisions" in run("decisions", "verify", "--export", "out.csv").out


def test_a_file_is_its_owners_alone_and_proves_itself(
    run: Run, ids: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    key, public = a_key(tmp_path)
    monkeypatch.setenv("MAILBOX_GUARD_ANCHOR_KEY_FILE", str(key))
    assert run("decisions", "export", "--output", "jsonl=out.jsonl").code == 0
    assert Path("out.jsonl").stat().st_mode & 0o777 == 0o600
    # An auditor has neither the settings nor the database.
    monkeypatch.setenv("MAILBOX_GUARD_DATABASE_URL", "sqlite:////nowhere/at.all")
    monkeypatch.delenv("MAILBOX_GUARD_ANCHOR_KEY_FILE")
    done = run("decisions", "verify", "--export", "out.jsonl", "--public-key", public)
    assert (done.code, done.out[:25]) == (0, "Whole: 3 decisions, expor")
    proof = json.loads(run("decisions", "verify", "--export", "out.jsonl", "--output", "json").out)
    assert (proof["whole"], proof["decisions"]) == (True, 3)
    _, other = a_key(tmp_path / "other")
    done = run("decisions", "verify", "--export", "out.jsonl", "--public-key", other)
    assert done.code == 1
    assert "signed by another key" in done.out


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("old@contoso.com", "odd@contoso.com", "is not the one that the envelope was made of"),
        ("\n", "", "counts 3 lines, and the file has 0"),
    ],
)
def test_an_altered_file_is_found(
    run: Run, ids: list[str], old: str, new: str, reason: str
) -> None:
    run("decisions", "export", "--output", "jsonl=out.jsonl")
    file = Path("out.jsonl")
    file.write_text(file.read_text().replace(old, new))
    done = run("decisions", "verify", "--export", "out.jsonl")
    assert done.code == 1
    assert reason in done.out


def test_an_altered_envelope_is_found_by_its_signature(
    run: Run, ids: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    key, public = a_key(tmp_path)
    monkeypatch.setenv("MAILBOX_GUARD_ANCHOR_KEY_FILE", str(key))
    run("decisions", "export", "--output", "jsonl=out.jsonl")
    envelope = Path("out.jsonl.envelope.json")
    envelope.write_text(envelope.read_text().replace('"decisions":3', '"decisions":2'))
    done = run("decisions", "verify", "--export", "out.jsonl", "--public-key", public)
    assert done.code == 1
    assert "signature of the envelope does not fit" in done.out


def test_a_file_without_an_envelope_proves_nothing(run: Run) -> None:
    Path("out.jsonl").write_text("{}\n")
    done = run("decisions", "verify", "--export", "out.jsonl")
    assert done.code == 2
    assert "bring both" in done.err
    Path("out.jsonl.envelope.json").write_text('{"export": 3}')
    done = run("decisions", "verify", "--export", "out.jsonl")
    assert done.code == 2
    assert "is no envelope" in done.err


def test_an_envelope_is_an_anchor_of_the_ledger_it_was_made_of(
    run: Run, ids: list[str], guard_database: Database
) -> None:
    run("decisions", "export", "--output", "jsonl=out.jsonl")
    assert run("decisions", "verify", "--against", "out.jsonl.envelope.json").code == 0
    guard_database.write_now(
        lambda c: c.execute(text("DELETE FROM guard_decisions")), failpoint=TEST
    )
    guard_database.write_now(lambda c: c.execute(text("DELETE FROM guard_chains")), failpoint=TEST)
    assert run("decisions", "verify").code == 0
    assert run("decisions", "verify", "--against", "out.jsonl.envelope.json").code == 1


def test_an_unreadable_record_is_named_and_counted(
    run: Run, ids: list[str], guard_database: Database
) -> None:
    statement = text("UPDATE guard_decisions SET public = 'x' WHERE id = :id")
    guard_database.write_now(lambda c: c.execute(statement, {"id": ids[1]}), failpoint=TEST)
    done = run("decisions", "export", "--output", "jsonl=out.jsonl")
    assert done.code == 1
    assert ids[1] in done.err
    envelope = json.loads(Path("out.jsonl.envelope.json").read_text())
    assert envelope["export"]["counts"] == {"decisions": 2, "masked_before": 0, "unreadable": 1}


def test_a_masked_export_has_no_person_and_can_be_searched(
    run: Run, ids: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    done = run("decisions", "export", "--masked")
    assert done.code == 2
    assert "MAILBOX_GUARD_PSEUDONYM_KEY_FILE" in done.err
    Path("keys").write_text("ab" * 32)
    monkeypatch.setenv("MAILBOX_GUARD_PSEUDONYM_KEY_FILE", "keys")
    for form in ("jsonl", "csv"):
        done = run("decisions", "export", "--masked", "--output", form)
        assert done.code == 0
        assert "contoso.com" not in done.out
        pseudonym = run("decisions", "pseudonym", ANNA.upper()).out.strip()
        assert sum(pseudonym in line for line in done.out.splitlines()) >= 2


def test_a_file_that_cannot_be_written_is_told(run: Run, ids: list[str]) -> None:
    done = run("decisions", "export", "--output", "jsonl=no/such/out.jsonl")
    assert done.code == 2
    assert "no/such/out.jsonl was not written" in done.err
