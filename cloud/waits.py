"""How long to wait: what the service asks for, and back-off where it says nothing."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

# A service may ask for more than a day only by mistake, and a mailbox must not be lost to one.
RETRY_AFTER_MAX_SECONDS = 86_400.0
# Within one call: a caller waits for the answer, so the waits stay in the range of its deadline.
REPEAT_FIRST_SECONDS = 0.5
REPEAT_MAX_SECONDS = 8.0
# Between calls: nobody waits, and whoever failed for hours shall not add to the load.
SETBACK_FIRST_SECONDS = 5.0
SETBACK_MAX_SECONDS = 3_600.0
# Past this many doublings the wait is at its most; 2.0 ** failures would overflow one day.
_DOUBLINGS_MAX = 16

Jitter = Callable[[], float]
"""Returns a number from 0 to 1; tests pass a fixed one."""


def random_jitter() -> float:
    """Return a random number from 0 to 1."""
    return random.random()  # noqa: S311 - it spreads load and protects nothing.


def retry_after_seconds(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return the seconds that `Retry-After` asks for, at most a day; None when it says nothing.

    Seconds in practice, an HTTP date by RFC 9110 section 10.2.3; a date gone by means 0.
    """
    text = headers.get("retry-after", "").strip()
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        try:
            when = parsedate_to_datetime(text)
        except ValueError:
            return None
        if when.tzinfo is None:
            when = when.replace(tzinfo=UTC)
        seconds = (when - now).total_seconds()
    if seconds != seconds:  # NaN, which float() accepts.
        return None
    return min(max(seconds, 0.0), RETRY_AFTER_MAX_SECONDS)


def repeat_seconds(failures: int, jitter: Jitter) -> float:
    """Return the wait before repeating inside one call: 0.5 s doubling to 8 s, half random."""
    return _doubled(REPEAT_FIRST_SECONDS, REPEAT_MAX_SECONDS, failures, jitter)


def setback_seconds(failures: int, jitter: Jitter) -> float:
    """Return the wait that a failed call tells its caller: 5 s doubling to 1 h, half random."""
    return _doubled(SETBACK_FIRST_SECONDS, SETBACK_MAX_SECONDS, failures, jitter)


def _doubled(first: float, most: float, failures: int, jitter: Jitter) -> float:
    full = min(most, first * 2.0 ** min(max(failures - 1, 0), _DOUBLINGS_MAX))
    # One half is certain, so that no repetition comes at once; the other spreads those that failed
    # together.
    return full / 2 + full / 2 * jitter()
