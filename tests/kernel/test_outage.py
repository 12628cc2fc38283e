"""What a database that fails says to people, and to whoever decides whether to try again."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from kernel.database import Database
from kernel.errors import Unavailable
from kernel.failpoints import failpoint

STEP = failpoint("tests.outage", "A row of the tests of outages is kept.")
PAGE = 4096


def filled(path: Path) -> None:
    database = Database(f"sqlite:///{path}")
    database.create_tables()
    database.open()
    database.write_now(lambda c: c.execute(text("CREATE TABLE kept (a)")), failpoint=STEP)
    rows = [{"a": "x" * 900}] * 400
    database.write_now(
        lambda c: c.execute(text("INSERT INTO kept VALUES (:a)"), rows), failpoint=STEP
    )
    database.close()


def test_damaged_pages_are_told_with_the_way_out(tmp_path: Path) -> None:
    path = tmp_path / "test.db"
    filled(path)
    data = bytearray(path.read_bytes())
    damaged = slice(len(data) - 60 * PAGE, len(data) - PAGE)
    data[damaged] = b"\xff" * (59 * PAGE)
    path.write_bytes(data)
    database = Database(f"sqlite:///{path}")
    database.open()
    with pytest.raises(Unavailable) as failed:
        database.read_now(lambda c: c.execute(text("SELECT sum(length(a)) FROM kept")).scalar())
    database.close()
    assert "backup" in (failed.value.hint or "")
