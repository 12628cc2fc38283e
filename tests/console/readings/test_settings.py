"""Settings are shown with their values, and of a secret no more than that it is set."""

from __future__ import annotations

from console.readings.settings import list_settings
from kernel.settings import declarations, load

HUSH = "hush-hush-5f0c1e7a9b"


def shown(**given: str) -> dict[str, str]:
    settings = load({f"MAILBOX_GUARD_{name.upper()}": text for name, text in given.items()})
    return {one["name"]: one["value"] for one in list_settings(settings)}


def test_every_setting_is_shown_and_no_secret() -> None:
    found = shown(
        client_secret=HUSH,
        webhook_keys=f"{HUSH},{HUSH}2",
        database_url=f"postgresql://guard:{HUSH}@db.contoso.com/guard?password={HUSH}",
    )
    assert found.keys() == declarations().keys()
    assert HUSH not in str(found)
    assert found["MAILBOX_GUARD_CLIENT_SECRET"] == "set"
    assert found["MAILBOX_GUARD_WEBHOOK_KEYS"] == "2 set"
    assert found["MAILBOX_GUARD_DATABASE_URL"] == "set"
    assert found["MAILBOX_GUARD_SYNC_CLIENT_SECRET"] == "not set"
    assert found["MAILBOX_GUARD_ENFORCEMENT"] == "enforce"


def test_a_password_among_the_parameters_of_an_address_is_not_shown() -> None:
    found = shown(database_url=f"postgresql://db.contoso.com/guard?user=guard&password={HUSH}")
    assert HUSH not in str(found)
