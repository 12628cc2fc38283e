"""How long to wait: what the service asks for, and back-off where it says nothing."""

from __future__ import annotations

import random
import re
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

# At most nine digits: a longer number is no wait.
_NAMED = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)\s*(s|secs?|seconds?|m|mins?|minutes?|h|hours?)", re.I)
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}
_SPAN = re.compile(r"(?:(\d{1,9})\.)?(\d{1,9}):(\d{1,9}):(\d{1,9}(?:\.\d{1,9})?)")
_DURATION = re.compile(
    r"P(?:(\d{1,9})D)?(?:T(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,9}(?:\.\d{1,9})?)S)?)?", re.I
)
_MILLISECONDS = ("retry-after-ms", "x-ms-retry-after-ms")

Jitter = Callable[[], float]
"""Returns a number from 0 to 1; tests pass a fixed one."""


def random_jitter() -> float:
    """Return a random number from 0 to 1."""
    return random.random()  # noqa: S311 - it spreads load and protects nothing.


def retry_after_seconds(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return the seconds that an answer asks to wait, at most a day; None when it says nothing.

    Seconds in practice, an HTTP date by RFC 9110 section 10.2.3; proxies and services also write
    other dates, durations, several headers at once, and milliseconds under a name of their own. Of
    several waits the longest counts; a date gone by means 0.
    """
    found = [_seconds_in(headers.get("retry-after", ""), now)]
    for name in _MILLISECONDS:
        thousandths = _seconds_in(headers.get(name, ""), now)
        found.append(None if thousandths is None else thousandths / 1000)
    known = [seconds for seconds in found if seconds is not None]
    return min(max(0.0, *known), RETRY_AFTER_MAX_SECONDS) if known else None


def _seconds_in(text: str, now: datetime) -> float | None:
    text = text.strip().strip("\"'")
    for reading in (_number, _span, _duration):
        seconds = reading(text)
        if seconds is not None:
            return seconds
    when = _moment(text)
    if when is not None:
        return (when - now).total_seconds()
    # Several headers arrive as one, with commas between them.
    parts = [_seconds_in(part, now) for part in text.split(",")] if "," in text else []
    return max((seconds for seconds in parts if seconds is not None), default=None)


def _number(text: str) -> float | None:
    try:
        seconds = float(text)
    except ValueError:
        named = _NAMED.fullmatch(text)
        return float(named[1]) * _UNITS[named[2][0].lower()] if named else None
    # NaN is no number of seconds, though float() takes it.
    return seconds if seconds == seconds else None


def _span(text: str) -> float | None:
    """Return the seconds of a .NET time span, `[d.]hh:mm:ss[.f]`."""
    found = _SPAN.fullmatch(text)
    if found is None:
        return None
    days, hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return days * 86_400 + hours * 3600 + minutes * 60 + seconds


def _duration(text: str) -> float | None:
    """Return the seconds of an ISO 8601 duration of days and less."""
    found = _DURATION.fullmatch(text)
    if found is None or not any(found.groups()):
        return None
    days, hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return days * 86_400 + hours * 3600 + minutes * 60 + seconds


def _moment(text: str) -> datetime | None:
    for reading in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            when = reading(text)
            return when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)
        except (IndexError, OverflowError, TypeError, ValueError):
            continue
    return None


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
