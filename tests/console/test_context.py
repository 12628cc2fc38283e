"""What every command begins with: a setting that cannot be used is named, and never repeated."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from console.context import open_prepared
from console.locks import exclusive
from kernel.settings import load
from tests.console.conftest import Run


@pytest.mark.parametrize(
    "url",
    [
        "nonsense",
        "postgresql://user:hunter2@host:port/name",
        "mysql://user:hunter2@host/name",
        "sqlite://",
    ],
)
def test_a_database_url_that_is_none_is_named_without_its_password(
    run: Run, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("MAILBOX_GUARD_DATABASE_URL", url)
    done = run("db", "check")
    assert (done.code, done.out) == (2, "")
    assert "MAILBOX_GUARD_DATABASE_URL" in done.err
    assert "hint: " in done.err
    assert "hunter2" not in done.err


def test_a_database_that_does_not_answer_is_a_could_not_be_done(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAILBOX_GUARD_DATABASE_URL", "postgresql://user:hunter2@127.0.0.1:1/name")
    done = run("db", "check")
    assert done.code == 2
    assert "127.0.0.1" in done.err
    assert "hunter2" not in done.err


def test_a_file_that_is_no_database_is_named(run: Run, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "mailbox-guard.db").write_bytes(b"This is not a database. " * 100)
    done = run("db", "check")
    assert done.code == 2
    assert "database" in done.err


def test_settings_come_from_the_file_that_is_named(run: Run, tmp_path: Path) -> None:
    (tmp_path / "here.toml").write_text('enforcement = "perhaps"\n')
    done = run("--config", "here.toml", "db", "check")
    assert done.code == 2
    assert "`enforcement` in here.toml is `perhaps`." in done.err


@pytest.mark.parametrize("text", ["x = [", "enforcment = 'observe'\n", "enforcement = 3\n"])
def test_a_file_that_cannot_be_used_is_named(run: Run, tmp_path: Path, text: str) -> None:
    (tmp_path / "mailbox-guard.toml").write_text(text)
    done = run("db", "check")
    assert done.code == 2
    assert "mailbox-guard.toml" in done.err


def test_a_named_file_that_is_not_there_is_named(run: Run) -> None:
    done = run("--config", "nowhere.toml", "db", "check")
    assert done.code == 2
    assert "nowhere.toml" in done.err


@pytest.mark.parametrize("when", ["everything", "tasks.claim:some-time", "tasks.claim"])
def test_a_failpoint_that_is_none_is_named(
    run: Run, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    monkeypatch.setenv("MAILBOX_GUARD_FAILPOINT", when)
    done = run("db", "check")
    assert done.code == 2
    assert "MAILBOX_GUARD_FAILPOINT" in done.err


@pytest.fixture(params=[0o000, 0o022, 0o077], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


@pytest.mark.usefixtures("umask")
def test_the_data_are_their_owners_alone_whatever_the_umask(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    settings = load({"MAILBOX_GUARD_DATA_DIR": str(folder)})
    with exclusive(folder / "mailbox-guard.db", "serve"), open_prepared(settings):
        modes = {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}
    assert modes == dict.fromkeys(
        (
            "mailbox-guard.db",
            "mailbox-guard.db-shm",
            "mailbox-guard.db-wal",
            "mailbox-guard.db.serve.lock",
        ),
        0o600,
    )
    assert folder.stat().st_mode & 0o777 == 0o700
