"""`decisions anchor`, `decisions verify --against`, and reading a copy that nobody may write."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import text

from kernel.database import Database
from tests.console.conftest import TEST, Run
from tests.console.test_decisions import ledger as ledger


def test_an_anchor_kept_elsewhere_finds_what_was_cut_since(
    run: Run, ledger: list[str], guard_database: Database, tmp_path: Path
) -> None:
    done = run("decisions", "anchor")
    assert (done.code, done.out.count("\n")) == (0, 1)
    assert "unsigned" in done.err
    file = tmp_path / "anchors.jsonl"
    file.write_text(done.out)
    assert run("decisions", "verify", "--against", file).code == 0
    for statement in (
        "DELETE FROM guard_decisions",
        "DELETE FROM guard_chains",
        "DELETE FROM guard_checkpoints",
    ):
        guard_database.write_now(lambda c, one=statement: c.execute(text(one)), failpoint=TEST)
    assert run("decisions", "verify").code == 0
    done = run("decisions", "verify", "--against", file)
    assert done.code == 1
    assert "it is not the one that the anchor of" in done.out


def test_what_is_no_anchor_is_wrong_input(run: Run, ledger: list[str], tmp_path: Path) -> None:
    assert ledger
    file = tmp_path / "anchors.jsonl"
    file.write_text('{"anchor": 1}\n')
    for given in (file, tmp_path / "missing.jsonl"):
        done = run("decisions", "verify", "--against", given)
        assert done.code == 2
        assert str(given) in done.err


def test_a_copy_that_nobody_may_write_is_read_and_left_as_it_is(
    run: Run, ledger: list[str], guard_database: Database, tmp_path: Path
) -> None:
    guard_database.close()
    data = tmp_path / "data"
    for one in data.iterdir():
        one.chmod(0o400)
    data.chmod(0o500)
    before = {one.name: one.read_bytes() for one in data.iterdir()}
    for command in (
        ("decisions", "list"),
        ("decisions", "show", ledger[0]),
        ("decisions", "verify"),
        ("decisions", "anchor"),
        ("mailboxes", "list"),
    ):
        assert run(*command).code == 0, command
    assert {one.name: one.read_bytes() for one in data.iterdir()} == before
    data.chmod(0o700)
