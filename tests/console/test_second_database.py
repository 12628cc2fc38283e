"""Anchors go into a second database with the right to insert alone, and are verified from there."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from console.anchoring import Anchoring
from console.second_database import SecondDatabase
from kernel.clock import FrozenClock
from kernel.database import Database
from kernel.errors import Unavailable
from kernel.settings import Secret, Settings, load
from tests.console.conftest import TEST, Run
from tests.guard.ledger.test_stored import StoredLedger, an_entry

TABLE = "CREATE TABLE mailbox_guard_anchors (made_at text NOT NULL, line text NOT NULL)"


@pytest.fixture
def second(tmp_path: Path) -> str:
    """The URL of a second database with its table."""
    file = tmp_path / "second.db"
    with sqlite3.connect(file) as made:
        made.execute(TABLE)
    return f"sqlite:///{file}"


@pytest.fixture
def settings(tmp_path: Path, second: str) -> Settings:
    data = {"MAILBOX_GUARD_DATA_DIR": str(tmp_path / "data")}
    return load({**data, "MAILBOX_GUARD_ANCHOR_DATABASE_URL": second}, None)


async def test_a_ledger_is_verified_against_it(
    guard_database: Database,
    settings: Settings,
    clock: FrozenClock,
    run: Run,
    second: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await StoredLedger(guard_database, clock).record(an_entry(clock))
    anchoring = Anchoring(settings, guard_database, clock)
    for _ in range(2):
        await anchoring.look_and_append()
        clock.advance(60)
    anchoring.close()
    assert anchoring.lacking == ()
    done = run("decisions", "verify", "--against", "database")
    assert (done.code, "MAILBOX_GUARD_ANCHOR_DATABASE_URL" in done.err) == (2, True)
    monkeypatch.setenv("MAILBOX_GUARD_ANCHOR_DATABASE_URL", second)
    done = run("decisions", "verify", "--against", "database")
    assert (done.code, "against 2 anchors" in done.out) == (0, True)
    rewritten = "UPDATE guard_chains SET count = 0, head = '', last_id = ''"
    for statement in (rewritten, "DELETE FROM guard_decisions", "DELETE FROM guard_chains"):
        guard_database.write_now(lambda c, s=statement: c.execute(text(s)), failpoint=TEST)  # type: ignore[misc]
    assert run("decisions", "verify").code == 0
    assert run("decisions", "verify", "--against", "database").code == 1


async def test_a_place_that_takes_none_is_told_and_the_other_has_it(
    guard_database: Database, settings: Settings, clock: FrozenClock, tmp_path: Path
) -> None:
    secret = "postgresql://guard:s3cret@127.0.0.1:9/none"
    away = replace(settings, anchor_database_url=Secret(secret))
    anchoring = Anchoring(away, guard_database, clock)
    with pytest.raises(Unavailable) as told:
        await anchoring.look_and_append()
    assert "s3cret" not in f"{told.value.message} {told.value.hint}"
    assert (len(anchoring.lacking), anchoring.lacking[0]) == (1, told.value.message)
    assert len(away.anchor_file.read_text().splitlines()) == 1
    # The file is away, and the database takes it.
    (tmp_path / "folder").mkdir()
    no_file = Anchoring(replace(settings, anchor_file=tmp_path / "folder"), guard_database, clock)
    with pytest.raises(Unavailable):
        await no_file.look_and_append()
    no_file.close()
    assert len(SecondDatabase(settings.anchor_database_url).read()) == 1


@pytest.mark.postgres
async def test_the_right_to_insert_is_enough(
    postgres_url: str, guard_database: Database, settings: Settings, clock: FrozenClock
) -> None:
    owner = create_engine(make_url(postgres_url).set(drivername="postgresql+psycopg"))
    name = "anchor_writer"
    with owner.begin() as connection:
        connection.execute(text(TABLE))
        connection.execute(text(f"DROP ROLE IF EXISTS {name}"))
        connection.execute(text(f"CREATE ROLE {name} LOGIN"))
        connection.execute(text(f"GRANT INSERT ON mailbox_guard_anchors TO {name}"))
    try:
        writer = make_url(postgres_url).set(username=name).render_as_string(hide_password=False)
        anchoring = Anchoring(
            replace(settings, anchor_database_url=Secret(writer)), guard_database, clock
        )
        await anchoring.look_and_append()
        anchoring.close()
        with pytest.raises(Unavailable, match="can't be read"):
            SecondDatabase(Secret(writer)).read()
        assert len(SecondDatabase(Secret(postgres_url)).read()) == 1
    finally:
        with owner.begin() as connection:
            connection.execute(text(f"DROP OWNED BY {name}"))
            connection.execute(text(f"DROP ROLE {name}"))
        owner.dispose()
