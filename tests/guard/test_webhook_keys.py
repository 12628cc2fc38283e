from __future__ import annotations

import pytest

from guard.webhook_keys import WebhookKeys

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
