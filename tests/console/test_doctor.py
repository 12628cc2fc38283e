"""`mailbox-guard doctor` as a command: text, JSON, exit codes, and no secret in any of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.server import Sandbox
from sandbox.threaded import Threaded, running
from tests.console.conftest import Run


def test_an_installation_without_settings_is_told_what_it_lacks(run: Run, tmp_path: Path) -> None:
    done = run("doctor", "--output", "json")
    assert done.code == 1
    report = json.loads(done.out)
    assert report["clean"] is False
    told = {one["code"]: one for one in report["findings"] if one["severity"] == "error"}
    assert "MAILBOX_GUARD_DATAVERSE_URL is not set" in told["token-given"]["told"]
    unasked = [one["about"] for one in report["findings"] if one["code"] == "unasked"]
    assert set(unasked) == {"graph", "dataverse", "database"}
    assert report["access"] == []
    assert not (tmp_path / "data").exists()


def test_settings_that_cannot_be_read_end_it(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAILBOX_GUARD_CANARY_OBJECT_ID", "some mailbox")
    assert run("doctor").code == 2


@pytest.fixture
def organization(monkeypatch: pytest.MonkeyPatch) -> Iterator[Threaded]:
    with running(Sandbox()) as threaded:
        for name, text in threaded.sandbox.settings().items():
            monkeypatch.setenv(name, text)
        yield threaded


@pytest.mark.slow
def test_text_and_json_tell_the_same_and_no_secret(run: Run, organization: Threaded) -> None:
    sandbox = organization.sandbox
    written = run("doctor", "--output", "json", "--output", "text=doctor.txt")
    assert written.code == 1
    report = json.loads(written.out)
    text = Path("doctor.txt").read_text("utf-8")
    for one in report["findings"]:
        shown = one["told"] in text
        assert shown is (one["severity"] not in ("well", "note")), one
    assert "Access to Microsoft Graph" in text
    assert {one["permission"] for one in report["access"]} >= {"User.Read.All", "Mail.Send"}
    for secret in (sandbox.guard_identity.secret, sandbox.sync_identity.secret):
        assert secret not in written.out + written.err + text
    everything = run("doctor", "--all").out
    assert "well       token-given" in everything
