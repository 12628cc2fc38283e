"""A database of the first version is brought up, keeps all it has, and still proves itself."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Boolean, MetaData, insert, text

from console import schema
from guard.ledger.anchor import difference, read_anchors
from guard.ledger.listing import list_decisions
from guard.ledger.verify import verify
from kernel import approvals
from kernel.database import Database
from tests.console.conftest import Run

DATA = Path(__file__).parents[1] / "data" / "upgrade"


def first_version(file: Path) -> sqlite3.Connection:
    """Make the database that the first version wrote."""
    made = sqlite3.connect(file)
    made.executescript((DATA / "v0001.sql").read_text())
    return made


def copied_to_postgres(source: sqlite3.Connection, url: str) -> None:
    """Put the same rows into PostgreSQL's tables, as the first migration makes them there."""
    database = Database(url)
    config = Config()
    config.set_main_option("script_location", str(schema.MIGRATIONS))
    with database.engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        tables = MetaData()
        tables.reflect(connection)
        for table in tables.sorted_tables:
            source.row_factory = sqlite3.Row
            rows: list[dict[str, Any]] = [
                dict(row) for row in source.execute(f"SELECT * FROM {table.name}")
            ]
            switches = [one.name for one in table.c if isinstance(one.type, Boolean)]
            for row in rows:
                row |= {name: bool(row[name]) for name in switches}
            if rows:
                connection.execute(table.delete())
                connection.execute(insert(table), rows)
        connection.commit()
    database.close()


@pytest.fixture
def old(bare_database_url: str, tmp_path: Path) -> Database:
    """An open database of the first schema, once of each kind."""
    if bare_database_url.startswith("sqlite"):
        first_version(Path(bare_database_url.removeprefix("sqlite:///"))).close()
    else:
        source = first_version(tmp_path / "source.db")
        copied_to_postgres(source, bare_database_url)
        source.close()
    database = Database(bare_database_url)
    database.open()
    return database


def test_all_that_was_there_is_there_and_proves_itself(old: Database) -> None:
    try:
        assert schema.number_of(old) == 1
        with pytest.raises(schema.SchemaOutdated, match="schema 1, this version needs"):
            schema.check(old)
        assert schema.upgrade(old) == schema.NUMBER
        assert schema.upgrade(old) == schema.NUMBER
        verdict = old.read_now(lambda c: verify(c, read_anchors(DATA / "v0001-anchors.jsonl")))
        assert verdict.is_whole, verdict
        assert (verdict.checked, verdict.masked, verdict.acts, verdict.approvals) == (3, 1, 5, 2)
        anchor = read_anchors(DATA / "v0001-anchors.jsonl")[0]
        assert old.read_now(lambda c: difference(c, anchor)) is None
        listed = old.read_now(list_decisions)
        assert [one["decision"] for one in listed] == ["allow", "reject", "allow"]
        assert [one["kind"] for one in listed[1]["obligations"]] == ["revert"]
        held = old.read_now(lambda c: approvals.find(c, "m2"))
        assert held is not None
        assert (held.is_withdrawn_by_person, held.withdrawn_by) == (True, "Robin")
        assert old.read_now(lambda c: c.scalar(text("SELECT count(*) FROM sync_access"))) == 1
    finally:
        old.close()


def test_an_embedded_one_is_brought_up_by_whoever_opens_it_first(run: Run, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    first_version(tmp_path / "data" / "mailbox-guard.db").close()
    done = run("decisions", "verify", "--against", DATA / "v0001-anchors.jsonl")
    assert (done.code, done.out[:20]) == (0, "Whole: 3 decisions i")
    assert run("decisions", "replay", "--output", "json").code == 0
