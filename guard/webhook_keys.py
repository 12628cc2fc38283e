"""The webhook key: where a caller may put it, and whether it is one of ours.

Every key is compared with every candidate in constant time, by digest, so that neither the length
nor the position of a match shows.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Sequence
from urllib.parse import unquote_to_bytes

HEADER = b"x-guard-key"
PARAMETERS = (b"code", b"guard-key")
MOST_CANDIDATES = 8


class WebhookKeys:
    """The keys that are valid now; several may be, so that one can be replaced without a gap."""

    __slots__ = ("_digests",)

    def __init__(self, keys: Sequence[str]) -> None:
        self._digests = tuple(_digest(key.encode("utf-8")) for key in keys if key)

    def __repr__(self) -> str:
        return f"WebhookKeys({len(self._digests)})"

    def accept(self, query_string: bytes, headers: Iterable[tuple[bytes, bytes]]) -> bool:
        """Return whether the query (`code`, `guard-key`) or the header x-guard-key holds a key."""
        # Every pair is compared, whatever was found: the time tells nothing.
        accepted = False
        for candidate in _candidates(query_string, headers)[:MOST_CANDIDATES]:
            given = _digest(candidate)
            for digest in self._digests:
                accepted |= hmac.compare_digest(given, digest)
        return accepted


def _candidates(query_string: bytes, headers: Iterable[tuple[bytes, bytes]]) -> list[bytes]:
    """Return what may be a key; percent-signs and plus-signs are read in each possible way."""
    found = [value for name, value in headers if name == HEADER]
    for part in query_string.split(b"&"):
        name, _, value = part.partition(b"=")
        if name in PARAMETERS:
            found.append(value)
            if b"%" in value:
                found.append(unquote_to_bytes(value))
            if b"+" in value:
                found.append(unquote_to_bytes(value.replace(b"+", b" ")))
    return found


def _digest(value: bytes) -> bytes:
    return hashlib.sha256(value).digest()
