"""When a mailbox is looked at again: soon while mail flows, later while it is idle or failing.

Pure. No outcome ever takes a mailbox off the schedule for good. Waits that a service asked for are
not computed here: they come from the transport as `until`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

ACTIVE_SECONDS = 10.0
IDLE_SECONDS = 900.0
LOOKS_BEFORE_SLOWER = 6
FAILING_SECONDS = 3600.0
FIRST_FAILURE_SECONDS = 30.0
FIRST_RETRY_SECONDS = 900.0
LONGEST_RETRY_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How a mailbox behaved lately, and when it is due."""

    due_at: datetime
    idle_looks: int = 0
    failures: int = 0


def after_look(rhythm: Rhythm, *, now: datetime, item_count: int) -> Rhythm:
    """Return the rhythm after a look that worked."""
    idle_looks = 0 if item_count else rhythm.idle_looks + 1
    doublings = min(idle_looks // LOOKS_BEFORE_SLOWER, 20)
    seconds = min(ACTIVE_SECONDS * 2**doublings, IDLE_SECONDS)
    return Rhythm(now + timedelta(seconds=seconds), idle_looks=idle_looks)


def after_failure(rhythm: Rhythm, *, now: datetime, until: datetime | None) -> Rhythm:
    """Return the rhythm after a look that failed; `until` is what the service asked for."""
    failures = rhythm.failures + 1
    seconds = min(FIRST_FAILURE_SECONDS * 2 ** min(failures - 1, 20), FAILING_SECONDS)
    due_at = until if until is not None else now + timedelta(seconds=seconds)
    return Rhythm(due_at, idle_looks=rhythm.idle_looks, failures=failures)


def retry_at(times: int, *, now: datetime) -> datetime:
    """Return when an item that was set aside so many times is tried again."""
    seconds = min(FIRST_RETRY_SECONDS * 2 ** min(times - 1, 20), LONGEST_RETRY_SECONDS)
    return now + timedelta(seconds=seconds)
