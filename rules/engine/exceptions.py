"""The one resolver of exceptions, used by the webhook, scans, replays and tests alike.

An exception is looked up only for a rule that failed, so that the record shows that it would have
failed. It applies before its end and never earlier than 180 days before it, so that an end set
far away gives nothing. Conditions of an exception that err do not hold: it then does not apply.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from rules.engine.compile import CompiledException
from rules.operators.fields import View, fill

LONGEST: Final = timedelta(days=180)


def find_exception(
    exceptions: Iterable[CompiledException],
    rule_id: str,
    *,
    view: View,
    now: datetime,
) -> str | None:
    """Return the name of the first exception that lets the rule's failure pass; None without."""
    for one in exceptions:
        if rule_id not in one.exception.rules or not is_current(one.ends, now):
            continue
        if one.match is None:
            return one.exception.name
        fill(view, one.readers)
        if one.match(view) is True:
            return one.exception.name
    return None


def is_current(ends: datetime, now: datetime) -> bool:
    """Tell whether an exception with this end can apply now."""
    # A date alone means the end of that day, hence the day of grace in the longest term.
    return now < ends <= now + LONGEST + timedelta(days=1)
