"""Commands run in the test's own directory, with no setting but those the test gives."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from console import schema
from console.main import main
from kernel.database import Database
from kernel.failpoints import failpoint

TEST = failpoint("tests.console", "A test of the commands writes.")


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str


Run = Callable[..., Done]


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in os.environ:
        if name.startswith("MAILBOX_GUARD_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MAILBOX_GUARD_DATA_DIR", str(tmp_path / "data"))


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command line; a traceback is nobody's answer."""

    def run_one(*arguments: Any) -> Done:
        capsys.readouterr()
        code = main([str(one) for one in arguments])
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        assert code != 3, err
        return Done(code, out, err)

    return run_one


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the schema, to be copied: migrations take far longer."""
    path = tmp_path_factory.mktemp("databases") / "migrated.db"
    database = Database(f"sqlite:///{path}")
    database.open()
    schema.prepare(database)
    database.close()
    return path


@pytest.fixture
def guard_database(tmp_path: Path, migrated_sqlite: Path) -> Iterator[Database]:
    """The database that the commands find, with its schema, open for the test itself."""
    (tmp_path / "data").mkdir()
    path = tmp_path / "data" / "mailbox-guard.db"
    shutil.copyfile(migrated_sqlite, path)
    database = Database(f"sqlite:///{path}")
    database.open()
    schema.check(database)
    yield database
    database.close()
