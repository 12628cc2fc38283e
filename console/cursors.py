"""Where the next page of a list begins, as a text that only the list reads.

A cursor names a place and the search that it belongs to, and nothing that its caller could not ask
for outright: it gives no right. So it needs no key that all processes share; its digest tells one
that was cut, altered, or given for another search, and the place is read as strictly as any input.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import re
from collections.abc import Mapping
from typing import Any, Final

from kernel.digest import canonical_json, sha256_hex
from kernel.errors import InputRefused

LONGEST: Final = 400
_DIGITS: Final = 32
_PLACE: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z:._-]{0,127}\Z")


class CursorUnusable(InputRefused):
    """A cursor is not one that this list gave, or was given for another search."""

    code = "cursor-unusable"


def cursor_for(place: str, search: Mapping[str, Any]) -> str:
    """Return the cursor of a place in the results of a search."""
    text = f"{_digest(place, search)}{place}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def place_in(cursor: str | None, search: Mapping[str, Any]) -> str | None:
    """Return the place that a cursor names; None for none. Raises CursorUnusable."""
    if cursor is None:
        return None
    try:
        if len(cursor) > LONGEST:
            raise ValueError
        padded = cursor + "=" * (-len(cursor) % 4)
        text = base64.b64decode(padded.encode("ascii"), altchars=b"-_", validate=True).decode()
    except (ValueError, binascii.Error):
        raise _unusable() from None
    digest, place = text[:_DIGITS], text[_DIGITS:]
    whole = _PLACE.match(place) is not None
    if not whole or not hmac.compare_digest(digest.encode(), _digest(place, search).encode()):
        raise _unusable()
    if cursor_for(place, search) != cursor:
        # Several texts would stand for one place.
        raise _unusable()
    return place


def _digest(place: str, search: Mapping[str, Any]) -> str:
    told = json.loads(json.dumps(search, default=str))
    return sha256_hex(canonical_json([place, told]))[:_DIGITS]


def _unusable() -> CursorUnusable:
    return CursorUnusable(
        "The cursor is not one of this search.",
        hint="Give `next` of the page before, with the same search; or leave it out to begin anew.",
    )
