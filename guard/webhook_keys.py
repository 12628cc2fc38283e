"""The webhook key: where a caller may put it, and whether it is one of ours.

Every key is compared with every candidate in constant time, by digest, so that neither the length
nor the position of a match shows.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final
from urllib.parse import unquote_to_bytes

from kernel.errors import SettingInvalid

HEADER = b"x-guard-key"
PARAMETERS = (b"code", b"guard-key")
MOST_CANDIDATES = 8
LEAST_LENGTH: Final = 32
# What is drawn from letters of both cases and digits may be shorter: 22 such signs are 128 bits.
LEAST_LENGTH_OF_DRAWN: Final = 22
LEAST_BITS: Final = 80
MAKE_ONE: Final = "python3 -c 'import secrets; print(secrets.token_urlsafe(32))'"
_CLASSES: Final = tuple(re.compile(one) for one in ("[a-z]", "[A-Z]", "[0-9]"))


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


def refuse_guessable(keys: Iterable[str]) -> None:
    """Raise SettingInvalid for a key that somebody could guess; the hint makes a good one.

    The key is all that tells Dataverse from anybody else. The message does not repeat it.
    """
    for number, key in enumerate(keys, 1):
        is_drawn = all(one.search(key) for one in _CLASSES)
        least = LEAST_LENGTH_OF_DRAWN if is_drawn else LEAST_LENGTH
        # What repeats itself adds nothing: pairs of neighbours are counted once each.
        bits = len(set(pairwise(key))) * math.log2(len(set(key)) or 1)
        if len(key) < least or bits < LEAST_BITS:
            raise SettingInvalid(
                f"Key {number} of MAILBOX_GUARD_WEBHOOK_KEYS could be guessed: it is shorter than "
                f"{LEAST_LENGTH} characters, or repeats itself.",
                hint=f"Make one: {MAKE_ONE}",
            )


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
