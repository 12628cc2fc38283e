"""An answer that is an error becomes one typed error, told by its status and its codes.

Codes are compared without case (Graph's error page and Dataverse's list of error codes).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cloud.call import Answer, Call
from cloud.errors import (
    BadAnswer,
    CloudError,
    CursorLost,
    NotThere,
    PreconditionFailed,
    Refused,
    RequestRejected,
    WebhookRejected,
)
from kernel.redaction import redacted_text, without_addresses

# Enough to recognise an error by; a body may hold pieces of mail, which no log needs.
EXCERPT_CHARS = 500
_ENVELOPE_BYTES_MAX = 256 * 1024

# A delta link is dead. Seen with 410 and with 40X, and in either spelling of their capitals.
RESET_CODES = frozenset(
    {"syncstatenotfound", "syncstateinvalid", "resyncrequired", "errorinvalidsyncstatedata"}
)
# Dataverse could not reach a webhook, or the webhook refused: 0x80050201 to 0x80050207.
WEBHOOK_CODES = frozenset(f"0x8005020{digit}" for digit in range(1, 8))
# A row with that key is there: the two codes of a duplicate primary and alternate key.
DUPLICATE_KEY_CODES = frozenset({"0x80040237", "0x80060892"})
# The organisation's duplicate detection, or a plug-in in its place, refuses a row that looks like
# another (412, as for a row that exists). Source: "Detect duplicate data using the Web API".
DUPLICATE_FOUND_CODE = "0x80040333"
# Of the rounds that are begun in a mailbox, Exchange keeps a state that counts against its quota:
# reports of microsoft-graph-docs, issues 5730 and 6596.
MAILBOX_FULL_CODE = "errorquotaexceeded"
ITEM_GONE_CODES = frozenset({"erroritemnotfound", "itemnotfound"})

_HINTS = {
    401: "Check the app's credential and that its token is meant for this service.",
    403: "Check the app's permissions, and that an administrator consented to them.",
    404: "Check that the URL setting is right and the thing still exists.",
}
_HINTS_BY_CODE = {MAILBOX_FULL_CODE: "The mailbox is full: make room in it, or raise its quota."}


@dataclass(frozen=True, slots=True)
class Envelope:
    """The code, the inner codes and the message of an error body, all possibly empty."""

    code: str
    inner_codes: tuple[str, ...]
    message: str

    @property
    def codes(self) -> frozenset[str]:
        """Every code in lower case."""
        return frozenset(code.lower() for code in (self.code, *self.inner_codes) if code)


def envelope_of(body: bytes) -> Envelope:
    """Return what an error body says; a body in no known shape gives empty texts."""
    try:
        value = json.loads(body[:_ENVELOPE_BYTES_MAX])
    except (ValueError, RecursionError):
        return Envelope("", (), body[:EXCERPT_CHARS].decode("utf-8", "replace"))
    error = value.get("error") if isinstance(value, Mapping) else None
    if not isinstance(error, Mapping):
        return Envelope(error if isinstance(error, str) else "", (), "")
    inner_codes: list[str] = []
    inner = _inner(error)
    while inner is not None and len(inner_codes) < 8:
        inner_codes.append(_text(inner.get("code")))
        inner = _inner(inner)
    return Envelope(_text(error.get("code")), tuple(inner_codes), _text(error.get("message")))


def excerpt_of(text: str) -> str:
    """Return a bounded piece of a service's words without addresses, tokens and keys."""
    text = without_addresses(redacted_text(text))
    return " ".join(text.split())[:EXCERPT_CHARS]


def error_of(call: Call, answer: Answer) -> CloudError:
    """Return the error that an answer is; for 429 and 5xx the transport decides instead."""
    envelope = envelope_of(answer.body)
    kind = _kind(call, answer, envelope)
    named = envelope.code or "no code"
    return kind(
        f"{call.reason or call.method}: the service answered {answer.status} ({named}).",
        hint=_HINTS_BY_CODE.get(envelope.code.lower(), _HINTS.get(answer.status)),
        status=answer.status,
        service_code=envelope.code,
        request_id=answer.request_id,
        client_request_id=answer.client_request_id,
        excerpt=excerpt_of(envelope.message),
        inner_codes=envelope.inner_codes,
    )


def is_reset(status: int, envelope: Envelope) -> bool:
    """Tell whether a delta link is dead: any 410, or a 400 or 404 with a code that says so.

    "Badly formed token." has no code of its own.
    """
    if status == 410:
        return True
    if status not in (400, 404):
        return False
    # The one place that reads a message: this error has no code that would tell it from others.
    said = {envelope.message.lower(), *envelope.codes}
    return bool(envelope.codes & RESET_CODES) or any("badly formed token" in s for s in said)


def _kind(call: Call, answer: Answer, envelope: Envelope) -> type[CloudError]:
    status = answer.status
    if is_reset(status, envelope):
        return CursorLost
    if envelope.codes & WEBHOOK_CODES:
        return WebhookRejected
    if answer.status == 412 and DUPLICATE_FOUND_CODE in envelope.codes:
        return RequestRejected
    by_status: dict[int, type[CloudError]] = {
        401: Refused,
        403: Refused,
        404: NotThere,
        412: PreconditionFailed,
    }
    return by_status.get(status, RequestRejected if 400 <= status < 500 else BadAnswer)


def _inner(error: Mapping[str, Any]) -> Mapping[str, Any] | None:
    for name in ("innerError", "innererror"):
        if isinstance(error.get(name), Mapping):
            inner: Mapping[str, Any] = error[name]
            return inner
    return None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)
