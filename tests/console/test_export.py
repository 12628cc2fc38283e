"""`mailbox-guard export exchange-scope` prints what an Exchange administrator runs."""

from __future__ import annotations

import pytest

from kernel.database import Database
from tests.console.conftest import Run
from tests.console.test_mailboxes import approved  # noqa: F401 - a fixture.

APP = "0a1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d"


@pytest.mark.usefixtures("approved")
def test_the_approved_mailboxes_stand_in_the_script(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAILBOX_GUARD_SYNC_CLIENT_ID", APP)
    done = run("export", "exchange-scope", "--service-principal", "x-y", "--group", "Synced")
    assert done.code == 0
    assert "-Identity 'Synced' -Member 'anna@contoso.com'" in done.out
    assert f"New-ServicePrincipal -AppId '{APP}' -ObjectId 'x-y'" in done.out
    legacy = run("export", "exchange-scope", "--legacy")
    assert "New-ApplicationAccessPolicy" in legacy.out


def test_without_an_application_there_is_nothing_to_limit(
    run: Run, guard_database: Database
) -> None:
    done = run("export", "exchange-scope", "--legacy")
    assert (done.code, done.out) == (2, "")
    assert "MAILBOX_GUARD_SYNC_CLIENT_ID" in done.err


@pytest.mark.usefixtures("guard_database")
def test_a_role_that_exchange_does_not_have_is_refused(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAILBOX_GUARD_CLIENT_ID", APP)
    done = run("export", "exchange-scope", "--service-principal", "x", "--role", "Everything")
    assert done.code == 2
    assert "Application Mail.Read" in done.err
