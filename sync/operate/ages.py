"""How far behind the approved mailboxes are, counted by age: what a chart shows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, and_, case, func, select

from kernel.approvals import APPROVED, approvals
from sync.store.tables import streams

AGES: Final = (
    ("5 minutes", timedelta(minutes=5)),
    ("an hour", timedelta(hours=1)),
    ("a day", timedelta(days=1)),
)
OLDER: Final = "older"
NEVER: Final = "not read yet"


@dataclass(frozen=True, slots=True)
class AgeCount:
    """How many mailboxes are known as of no longer ago than that."""

    name: str
    count: int


def count_ages(connection: Connection, *, now: datetime) -> list[AgeCount]:
    """Return how many approved mailboxes are how far behind, each by its stalest stream.

    The database counts: whatever the fleet, a handful of rows comes back.
    """
    stalest = (
        select(
            approvals.c.record_id,
            func.min(streams.c.fresh_as_of).label("at"),
            func.count(streams.c.stream_id).label("chains"),
            func.count(streams.c.fresh_as_of).label("known"),
        )
        .select_from(
            approvals.outerjoin(
                streams,
                and_(
                    streams.c.record_id == approvals.c.record_id,
                    streams.c.object_id == approvals.c.object_id,
                ),
            )
        )
        .where(approvals.c.state == APPROVED)
        .group_by(approvals.c.record_id)
        .subquery()
    )
    bounds = [(stalest.c.at >= now - age, name) for name, age in AGES]
    is_unknown = (stalest.c.chains == 0) | (stalest.c.known < stalest.c.chains)
    bucket = case((is_unknown, NEVER), *bounds, else_=OLDER)
    rows = connection.execute(select(bucket, func.count()).group_by(bucket))
    counted = {name: count for name, count in rows}
    return [AgeCount(name, counted.get(name, 0)) for name in (*(n for n, _ in AGES), OLDER, NEVER)]
