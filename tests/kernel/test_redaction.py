"""Secrets are taken out by name, by form and by value, however deep they lie."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import pytest

from kernel import redaction
from kernel.redaction import REDACTED, conceal, redact, redacted_text

HIDDEN = "hidden-Word.123"
JWT = "eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJodHRwcyJ9.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    "name",
    ["client_secret", "password", "Authorization", "access_token", "client_assertion", "authvalue",
     "webhook_key", "webhook_keys", "api_key", "x-guard-key", "guard-key", "private_key", "Cookie"],
)  # fmt: skip
@pytest.mark.parametrize("shape", ["flat", "dict", "list", "proxy", "pair", "bytes pair"])
def test_a_value_is_hidden_by_its_name(name: str, shape: str) -> None:
    event: dict[str, Any] = {
        "flat": {name: HIDDEN},
        "dict": {"request": {"headers": {name: HIDDEN}}},
        "list": {"requests": [{name: [HIDDEN]}]},
        "proxy": {"request": MappingProxyType({name: HIDDEN})},
        "pair": {"headers": [("host", "example.com"), (name, HIDDEN)]},
        "bytes pair": {"headers": [(name.encode(), HIDDEN.encode())]},
    }[shape]
    shown = str(redact(event))
    assert HIDDEN not in shown
    assert REDACTED in shown


@pytest.mark.parametrize(
    "text",
    [
        f"Authorization: Bearer {HIDDEN}",
        f"authorization: basic {HIDDEN}==",
        f"POST /webhooks/dataverse?code={HIDDEN} 403",
        f"POST /webhooks/dataverse?x=1&guard-key={HIDDEN}&y=2",
        f"x-guard-key: {HIDDEN}",
        f"{{'x-guard-key': '{HIDDEN}', 'host': 'example.com'}}",
        f"grant_type=client_credentials&client_secret={HIDDEN}&scope=x",
        f'{{"client_assertion": "{HIDDEN}"}}',
        f'{{"access_token":"{HIDDEN}","expires_in":3599}}',
        f"postgresql://guard:{HIDDEN}@db.example.com/guard",
        f"postgresql://guard:{HIDDEN}@x@db.example.com/guard",
        f"redis://:{HIDDEN}@cache.example.com",
        f"-----BEGIN PRIVATE KEY-----\n{HIDDEN}\n-----END PRIVATE KEY-----\n",
        f"-----BEGIN RSA PRIVATE KEY-----\n{HIDDEN}",
    ],
)
def test_a_secret_in_a_text_is_hidden_by_its_form(text: str) -> None:
    shown = redacted_text(text)
    assert "hidden" not in shown
    assert "Word" not in shown
    assert REDACTED in shown


def test_a_token_is_hidden_wherever_it_stands() -> None:
    shown = redacted_text(f"the service said {JWT} is unknown")
    assert shown == f"the service said {REDACTED} is unknown"


@pytest.mark.parametrize(
    "text",
    [
        "status_code=503 after 3 attempts",
        "error_code=0x80050201",
        '{"code": "0x80050201", "message": "rejected"}',
        "https://graph.microsoft.com/v1.0/users/anna@contoso.com",
        "POST /webhooks/dataverse 200",
        "the bearer of this mailbox",
        "MAILBOX_GUARD_WEBHOOK_KEYS is not set.",
        "sqlite:////srv/guard/mailbox-guard.db",
    ],
)
def test_what_only_looks_alike_stays(text: str) -> None:
    assert redacted_text(text) == text


def test_an_error_code_stays_and_a_query_code_goes() -> None:
    event = redact({"code": "fence-lost", "query": {"code": "hidden", "x": 1}})
    assert event == {"code": "fence-lost", "query": {"code": REDACTED, "x": 1}}


def test_an_address_is_in_no_log_event_and_stays_in_other_texts() -> None:
    text = "No user of Entra holds the address Anna.Berg+x@mail.contoso.com."
    assert redacted_text(text) == text
    event = redact({"reason": text, "path": "/mailboxes/anna@contoso.com", "all": ["b@c.example"]})
    assert event == {
        "reason": "No user of Entra holds the address [address].",
        "path": "/mailboxes/[address]",
        "all": ["[address]"],
    }


def test_numbers_and_moments_stay_what_they_are() -> None:
    event = {"count": 3, "share": 0.5, "is_open": True, "until": None}
    assert redact(dict(event)) == event


def test_objects_are_shown_only_as_redacted_text() -> None:
    error = ValueError(f"refused: Bearer {HIDDEN}")
    assert redact({"error": error, "body": f"code={HIDDEN}".encode()}) == {
        "error": f"ValueError('refused: Bearer {REDACTED}')",
        "body": f"code={REDACTED}",
    }


def test_what_is_logged_of_an_exception_is_left_to_the_text_it_becomes() -> None:
    info = (ValueError, ValueError("x"), None)
    assert redact({"exc_info": info})["exc_info"] is info


class TestConcealed:
    @pytest.fixture(autouse=True)
    def forget(self) -> Any:
        before = redaction._concealed
        yield
        redaction._concealed = before

    def test_a_known_secret_never_shows_plain_or_encoded(self) -> None:
        conceal(["p@ss word/1", "p@ss word/1 and more"])
        assert redacted_text("it was p@ss word/1 and more") == f"it was {REDACTED}"
        assert (
            redacted_text("x=p%40ss%20word%2F1&y=p%40ss+word%2F1") == f"x={REDACTED}&y={REDACTED}"
        )

    def test_very_short_texts_are_not_concealed(self) -> None:
        conceal(["", "a"])
        assert redacted_text("a mailbox") == "a mailbox"
