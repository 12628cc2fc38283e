"""`mailbox-guard init` writes a folder that works, and never over what is there."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from kernel.settings import load
from sandbox import people
from sandbox.server import Sandbox
from sandbox.threaded import Threaded, running
from tests.console.conftest import Run

pytestmark = pytest.mark.slow
APP = "0a1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d"
FLAGS = (
    "--yes", "--offline", "--dataverse-url", "https://adatum.crm.dynamics.com", "--tenant-id",
    "adatum.com", "--client-id", APP, "--domain", "Adatum.com", "--vip", "boss@adatum.com",
)  # fmt: skip


def test_a_folder_is_written_that_validates_lints_and_passes(run: Run, tmp_path: Path) -> None:
    done = run("init", *FLAGS)
    assert done.code == 0
    assert "no secret in it" in done.out
    for verb in ("validate", "lint", "test"):
        assert run("policy", verb, "policies").code == 0, verb
    settings = load({}, tmp_path / "mailbox-guard.toml")
    assert settings.enforcement == "observe"
    assert settings.dataverse_url == "https://adatum.crm.dynamics.com"
    assert settings.policies_dir == Path("policies")
    assert not settings.client_secret
    for told in ("mailbox-guard doctor", "Next week", "decisions list --decision reject"):
        assert told in done.out


def test_no_secret_is_written(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAILBOX_GUARD_CLIENT_SECRET", "a secret of the tests")
    monkeypatch.setenv("MAILBOX_GUARD_WEBHOOK_KEYS", "a key of the tests")
    done = run("init", *FLAGS)
    written = [path.read_text("utf-8") for path in tmp_path.rglob("*") if path.is_file()]
    for text in (*written, done.out, done.err):
        assert "of the tests" not in text


def test_what_is_there_is_left_alone_unless_told(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "mailbox-guard.toml"
    file.write_text('enforcement = "enforce"\n')
    done = run("init", *FLAGS)
    assert done.code == 2
    assert "--force" in done.err
    assert file.read_text() == 'enforcement = "enforce"\n'
    assert not (tmp_path / "policies").exists()
    assert run("init", *FLAGS, "--force").code == 0
    assert "observe" in file.read_text()


def test_what_must_be_answered_is_named(run: Run, tmp_path: Path) -> None:
    done = run("init", "--yes", "--offline", "--domain", "adatum.com")
    assert done.code == 2
    assert "chief executive" in done.err
    assert list(tmp_path.iterdir()) == []


def test_another_folder_is_made(run: Run, tmp_path: Path) -> None:
    done = run("init", tmp_path / "deep" / "er", *FLAGS)
    assert done.code == 0
    assert (tmp_path / "deep" / "er" / "mailbox-guard.toml").is_file()
    assert "cd " in done.out


@pytest.fixture
def organisation(monkeypatch: pytest.MonkeyPatch) -> Iterator[Threaded]:
    with running(Sandbox()) as threaded:
        for name, text in threaded.sandbox.settings().items():
            if name != "MAILBOX_GUARD_DELEGATED_APPROVER_ROLE_ID":
                monkeypatch.setenv(name, text)
        yield threaded


@pytest.mark.usefixtures("organisation")
def test_the_organisation_tells_domains_profiles_and_approvers(run: Run, tmp_path: Path) -> None:
    done = run("init", "--yes", "--vip", people.CEO.address)
    assert done.code == 0, done.err
    domains = (tmp_path / "policies" / "lists" / "allowed-domains.yaml").read_text()
    assert f'- "{people.DOMAIN}"' in domains
    profiles = (tmp_path / "policies" / "lists" / "server-profiles.yaml").read_text()
    assert people.PROFILE_ID in profiles
    settings = tomllib.loads((tmp_path / "mailbox-guard.toml").read_text())
    role = people.role_id(people.DELEGATED_APPROVER)
    assert settings["delegated_approver_role_id"] == role
    assert "Global Administrator, Exchange Administrator" in done.out
    assert "In Dataverse now: " in done.out


def test_a_service_that_is_away_keeps_nobody_from_beginning(
    run: Run, organisation: Threaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAILBOX_GUARD_CLIENT_SECRET", "wrong")
    done = run("init", "--yes", "--vip", "boss@adatum.com", "--domain", "adatum.com")
    assert done.code == 0
    assert "not known" in done.err
    assert "server-profile-pinned is left out" in done.out
