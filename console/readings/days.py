"""How many edits were decided how, by day: what a chart shows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from sqlalchemy import Connection, and_, func, select

from guard.ledger.tables import decisions
from kernel.ids import first_id


@dataclass(frozen=True, slots=True)
class DayCount:
    """The edits of one day in UTC, by the word of their decision."""

    day: date
    by_decision: dict[str, int]

    @property
    def total(self) -> int:
        """Return how many there were."""
        return sum(self.by_decision.values())


def count_day(connection: Connection, moment: datetime) -> DayCount:
    """Return the counts of the day of that moment.

    What confirms an earlier decision is about the same edit and is not counted again. An index
    finds the day; what is counted is the decisions of it alone.
    """
    begins = datetime.combine(moment.date(), time(), moment.tzinfo)
    ends = begins + timedelta(days=1)
    rows = connection.execute(
        select(decisions.c.decision, func.count())
        .where(
            and_(decisions.c.id >= first_id(begins), decisions.c.id < first_id(ends)),
            ~decisions.c.public.contains('"confirms":"', autoescape=True),
        )
        .group_by(decisions.c.decision)
    )
    return DayCount(begins.date(), {word: count for word, count in rows})
