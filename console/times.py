"""Moments on the command line: `2h`, `7d`, a date, or an ISO 8601 moment."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from kernel.clock import SystemClock

_SPAN = re.compile(r"(\d{1,6})([smhdw])\Z")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def _span_in(value: Any) -> timedelta | None:
    found = _SPAN.match(str(value))
    return timedelta(**{_UNITS[found[2]]: int(found[1])}) if found else None


class PastType(click.ParamType[datetime]):
    """A moment, given as a span before now or as itself; without an offset it is UTC."""

    name = "MOMENT"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Parse one moment."""
        if isinstance(value, datetime):
            return value
        span = _span_in(value)
        if span is not None:
            return SystemClock().now() - span
        try:
            moment = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f"`{value}` is not a moment; write 2h, 7d, or 2026-11-23T10:00:00Z.")
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


class ComingType(click.ParamType[datetime]):
    """A moment to come, given as a span from now or as itself; without an offset it is UTC."""

    name = "MOMENT"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Parse one moment."""
        span = _span_in(value)
        if span is not None:
            return SystemClock().now() + span
        moment: datetime = PastType().convert(value, param, ctx)
        return moment


class SpanType(click.ParamType[timedelta]):
    """A length of time such as `12h` or `14d`."""

    name = "SPAN"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta:
        """Parse one span."""
        if isinstance(value, timedelta):
            return value
        span = _SPAN.match(str(value))
        if span is None:
            self.fail(f"`{value}` is not a span of time; write 12h, 14d or 2w.")
        return timedelta(**{_UNITS[span[2]]: int(span[1])})
