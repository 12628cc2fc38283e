from __future__ import annotations

import base64
import secrets
import shlex
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.webhook_keys import MAKE_ONE, WebhookKeys, refuse_guessable
from kernel.errors import SettingInvalid

KEYS = WebhookKeys(("first+key/=", "second"))


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        (b"code=second", []),
        (b"guard-key=second", []),
        (b"", [(b"x-guard-key", b"second")]),
        (b"", [(b"x-guard-key", b"first+key/=")]),
        (b"code=first%2Bkey%2F%3D", []),
        (b"code=first+key/=", []),
        (b"a=b&code=second&c=d", []),
        (b"code=wrong", [(b"x-guard-key", b"second")]),
    ],
)
def test_a_valid_key_is_accepted_in_every_place(
    query: bytes, headers: list[tuple[bytes, bytes]]
) -> None:
    assert KEYS.accept(query, headers)


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        (b"", []),
        (b"code=", []),
        (b"code=Second", []),
        (b"code=second2", []),
        (b"key=second", []),
        (b"", [(b"authorization", b"second")]),
        (b"code=%ff%fe", [(b"x-guard-key", b"\xff")]),
    ],
)
def test_anything_else_is_refused(query: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    assert not KEYS.accept(query, headers)


def test_without_keys_nothing_is_accepted() -> None:
    assert not WebhookKeys(()).accept(b"code=", [(b"x-guard-key", b"")])
    assert not WebhookKeys(("",)).accept(b"code=", [])


def test_keys_do_not_show_themselves() -> None:
    assert "second" not in repr(KEYS)


class TestGuessableKeys:
    """The key is all that tells Dataverse from anybody else."""

    @pytest.mark.parametrize(
        "key",
        [
            "secret",
            "my-secret-webhook-key-for-crm",
            "correct-horse-battery-staple",
            "0123456789abcdef",
            "a" * 64,
            "key-" * 16,
            "Summer2026!Summer",
        ],
    )
    def test_one_that_could_be_guessed_is_refused_with_the_line_that_makes_one(
        self, key: str
    ) -> None:
        good = secrets.token_urlsafe(32)
        with pytest.raises(SettingInvalid, match="Key 2 of MAILBOX_GUARD_WEBHOOK_KEYS") as refused:
            refuse_guessable([good, key])
        assert MAKE_ONE in str(refused.value.hint)
        assert key not in refused.value.message

    @given(st.binary(min_size=32, max_size=32))
    def test_what_the_line_makes_is_accepted_but_for_what_chance_never_draws(
        self, drawn: bytes
    ) -> None:
        if len(set(drawn)) >= 16:
            refuse_guessable([base64.urlsafe_b64encode(drawn).rstrip(b"=").decode(), drawn.hex()])

    def test_the_line_makes_one_that_is_accepted(self) -> None:
        command = shlex.split(MAKE_ONE.replace("python3", sys.executable, 1))
        made = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
        refuse_guessable([made])
