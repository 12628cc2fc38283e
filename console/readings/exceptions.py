"""The exceptions of a policy set: what each permits, and when it ends."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any

from rules.engine.exceptions import is_current
from rules.engine.policy_set import PolicySet


def list_exceptions(
    policy_set: PolicySet, *, now: datetime, expiring: timedelta | None = None
) -> list[dict[str, Any]]:
    """Return the exceptions, the next to end first; with `expiring` those that end within it.

    `state` is current, ended, or not-yet for one that would last too long and does not apply yet.
    """
    every = {
        one.name: one
        for policy in policy_set.policies
        for resolved in policy.tables.values()
        for one in resolved.exceptions
    }
    return [
        {
            "name": one.name,
            "policy": one.policy,
            "rules": sorted(one.rules),
            "expires": _expires(one.ends),
            "ends": one.ends.isoformat().replace("+00:00", "Z"),
            "days_left": max((one.ends - now).days, 0),
            "state": _state(one.ends, now),
            "ticket": one.ticket,
            "approved_by": one.approved_by,
            "reason": one.reason,
            "file": one.place.file,
        }
        for one in sorted(every.values(), key=lambda one: (one.ends, one.name))
        if expiring is None or one.ends - now <= expiring
    ]


def _expires(ends: datetime) -> str:
    """Return the end as an author writes it: a whole day is named by itself, not by the next."""
    if ends.time() == time():
        return (ends - timedelta(days=1)).date().isoformat()
    return ends.isoformat().replace("+00:00", "Z")


def _state(ends: datetime, now: datetime) -> str:
    if ends <= now:
        return "ended"
    return "current" if is_current(ends, now) else "not-yet"
