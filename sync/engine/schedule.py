"""When a mailbox is visited again: soon while items flow, later while it is idle or failing.

Pure. No outcome ever takes a mailbox off the schedule for good. Waits that a service asked for are
not computed here: they come from the transport as `until`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

ACTIVE_SECONDS = 10.0
IDLE_SECONDS = 900.0
VISITS_BEFORE_SLOWER = 6
FAILING_SECONDS = 3600.0
FIRST_FAILURE_SECONDS = 30.0
FIRST_RETRY_SECONDS = 900.0
LONGEST_RETRY_SECONDS = 86_400.0
# Beyond this many doublings every wait has long reached its longest.
_MOST_DOUBLINGS = 20


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How a mailbox behaved lately, and when it is due."""

    due_at: datetime
    idle_visits: int = 0
    failures: int = 0


def after_visit(rhythm: Rhythm, *, now: datetime, item_count: int) -> Rhythm:
    """Return the rhythm after a visit that worked."""
    idle_visits = 0 if item_count else rhythm.idle_visits + 1
    doublings = min(idle_visits // VISITS_BEFORE_SLOWER, _MOST_DOUBLINGS)
    seconds = min(ACTIVE_SECONDS * 2**doublings, IDLE_SECONDS)
    return Rhythm(now + timedelta(seconds=seconds), idle_visits=idle_visits)


def after_failure(rhythm: Rhythm, *, now: datetime, until: datetime | None) -> Rhythm:
    """Return the rhythm after a visit that failed; `until` is what the service asked for."""
    failures = rhythm.failures + 1
    doublings = min(failures - 1, _MOST_DOUBLINGS)
    seconds = min(FIRST_FAILURE_SECONDS * 2**doublings, FAILING_SECONDS)
    due_at = until if until is not None else now + timedelta(seconds=seconds)
    return Rhythm(due_at, idle_visits=rhythm.idle_visits, failures=failures)


def retry_at(times: int, *, now: datetime) -> datetime:
    """Return when an item that was set aside so many times is tried again."""
    seconds = min(FIRST_RETRY_SECONDS * 2 ** min(times - 1, _MOST_DOUBLINGS), LONGEST_RETRY_SECONDS)
    return now + timedelta(seconds=seconds)
