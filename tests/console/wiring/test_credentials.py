from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from structlog.testing import capture_logs

from console.wiring.credentials import CredentialEnd, CredentialWatch, ends_of
from kernel.clock import FrozenClock
from kernel.settings import load

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
SECRET = {
    "MAILBOX_GUARD_CLIENT_SECRET": "an-example-secret",
    "MAILBOX_GUARD_CLIENT_SECRET_ENDS": "2026-12-04",
}


def certificate(folder: Path, ends: datetime) -> Path:
    file = folder / "certificate.pem"
    issued = trustme.CA().issue_cert("guard.contoso.com", not_after=ends)
    file.write_bytes(issued.private_key_and_cert_chain_pem.bytes())
    return file


@pytest.mark.parametrize(
    ("left", "said"),
    [
        (timedelta(days=7, seconds=1), None),
        (timedelta(days=7), "ends on"),
        (timedelta(seconds=1), "ends on"),
        (timedelta(), "ended on"),
        (timedelta(days=-30), "ended on"),
    ],
)
def test_an_end_is_told_from_a_week_ahead(left: timedelta, said: str | None) -> None:
    warning = CredentialEnd("The guard's client secret", NOON + left).warning(NOON)
    assert (warning is None) == (said is None)
    assert said is None or said in (warning or "")


def test_the_end_of_a_secret_is_what_the_setting_says() -> None:
    (found,) = ends_of(load(SECRET, None))
    assert found == CredentialEnd("The guard's client secret", datetime(2026, 12, 4, tzinfo=UTC))
    assert ends_of(load({"MAILBOX_GUARD_CLIENT_SECRET_ENDS": "2026-12-04"}, None)) == []


def test_a_certificate_says_itself_when_it_ends(tmp_path: Path) -> None:
    ends = datetime(2027, 1, 31, 10, tzinfo=UTC)
    file = certificate(tmp_path, ends)
    settings = load({"MAILBOX_GUARD_CLIENT_CERTIFICATE_FILE": str(file)}, None)
    assert ends_of(settings) == [CredentialEnd("The guard's certificate", ends)]
    file.write_text("nothing of the kind")
    assert ends_of(settings) == []


def test_an_identity_that_is_not_loaded_is_not_looked_at() -> None:
    second = {
        "MAILBOX_GUARD_SYNC_CLIENT_SECRET": "another-example-secret",
        "MAILBOX_GUARD_SYNC_CLIENT_SECRET_ENDS": "2026-12-04",
    }
    assert len(ends_of(load(SECRET | second, None))) == 2
    assert len(ends_of(load(SECRET | second, None), syncs=False)) == 1


async def test_it_is_shown_all_the_time_and_logged_once_a_day() -> None:
    clock, shown = FrozenClock(NOON), [{}]

    def show(ends: Mapping[str, float]) -> None:
        shown.append(dict(ends))

    watch = CredentialWatch(load(SECRET, None), clock, show)
    with capture_logs() as logs:
        await watch.look()
        assert watch.warnings == []
        clock.advance(5 * 24 * 3600)
        for _ in range(3):
            await watch.look()
        assert [one["event"] for one in logs] == ["credential_ends"]
        clock.advance(24 * 3600)
        await watch.look()
    assert [one["event"] for one in logs] == ["credential_ends"] * 2
    assert shown[-1] == {"The guard's client secret": datetime(2026, 12, 4, tzinfo=UTC).timestamp()}
    (warning,) = watch.warnings
    assert warning.startswith("The guard's client secret ends on 2026-12-04")
    clock.advance(10 * 24 * 3600)
    assert "ended" in watch.warnings[0]


async def test_a_renewed_certificate_is_seen_without_a_restart(tmp_path: Path) -> None:
    file = certificate(tmp_path, NOON + timedelta(days=3))
    settings = load({"MAILBOX_GUARD_CLIENT_CERTIFICATE_FILE": str(file)}, None)
    watch = CredentialWatch(settings, FrozenClock(NOON), lambda ends: None)
    await watch.look()
    assert len(watch.warnings) == 1
    certificate(tmp_path, NOON + timedelta(days=90))
    await watch.look()
    assert watch.warnings == []
