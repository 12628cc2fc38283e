import json

import pytest

from cloud.call import Answer
from cloud.classify import EXCERPT_CHARS, envelope_of, error_of, excerpt_of
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
from tests.cloud.scripted import a_read

RESETS = [
    (410, "SyncStateNotFound", ""),
    (410, "", ""),
    (410, "resyncRequired", ""),
    (400, "SyncStateInvalid", ""),
    (404, "syncStateNotFound", ""),
    (400, "ErrorInvalidSyncStateData", ""),
    (400, "BadRequest", "Badly formed token."),
]
OTHERS = [
    (400, "BadRequest", "", RequestRejected),
    (400, "0x80050201", "The webhook call failed because …", WebhookRejected),
    (500, "0x80050205", "", WebhookRejected),
    (401, "InvalidAuthenticationToken", "", Refused),
    (403, "ErrorAccessDenied", "", Refused),
    (404, "ErrorItemNotFound", "", NotThere),
    (409, "ErrorIrresolvableConflict", "", RequestRejected),
    (412, "0x80060882", "", PreconditionFailed),
    (412, "0x80040333", "", RequestRejected),
    (501, "", "", BadAnswer),
]


def an_error(status: int, body: object) -> CloudError:
    return error_of(a_read(reason="test"), Answer(status, {}, json.dumps(body).encode()))


class TestKinds:
    @pytest.mark.parametrize(("status", "code", "message"), RESETS)
    def test_every_way_to_say_that_a_cursor_is_dead(self, status, code, message) -> None:
        error = an_error(status, {"error": {"code": code, "message": message}})
        assert isinstance(error, CursorLost)

    def test_a_reset_may_hide_in_an_inner_error(self) -> None:
        body = {"error": {"code": "gone", "innererror": {"code": "x", "innerError": {}}}}
        assert not isinstance(an_error(400, body), CursorLost)
        body["error"]["innererror"]["innerError"] = {"code": "SYNCSTATENOTFOUND"}
        assert isinstance(an_error(400, body), CursorLost)

    @pytest.mark.parametrize(("status", "code", "message", "kind"), OTHERS)
    def test_other_errors(self, status, code, message, kind) -> None:
        error = an_error(status, {"error": {"code": code, "message": message}})
        assert type(error) is kind
        assert error.service_code == code

    def test_a_full_mailbox_is_mended_in_the_mailbox_and_not_in_permissions(self) -> None:
        error = an_error(403, {"error": {"code": "ErrorQuotaExceeded"}})
        assert error.hint == "The mailbox is full: make room in it, or raise its quota."


class TestEnvelope:
    @pytest.mark.parametrize(
        "body", [b"", b"<html>Bad gateway</html>", b"[1]", b'"x"', b'{"error": 3}', b"[" * 100_000]
    )
    def test_any_body_is_survived(self, body) -> None:
        assert envelope_of(body).codes == frozenset()

    def test_an_oauth_error_has_its_code_too(self) -> None:
        assert envelope_of(b'{"error": "invalid_client"}').code == "invalid_client"

    def test_an_excerpt_is_short_and_without_secrets(self) -> None:
        text = excerpt_of("Bearer abcdefghijkl1234 ?code=sesame&x " + "long " * 1000)
        assert len(text) <= EXCERPT_CHARS
        assert "abcdefghijkl" not in text
        assert "sesame" not in text
