"""*Today*: what needs a person, what was rejected, and whether everything is well."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from console.gauges import Gauges
from console.readings.days import DayCount, count_day
from console.readings.exceptions import list_exceptions
from console.web.chart import Bar, Series, bars, shares
from console.web.page import ConsolePage, PageVisit, Shown, View
from guard.holds import list_holds
from guard.ledger.filters import DecisionFilter
from guard.ledger.listing import page_of_decisions
from guard.ledger.parked import HoldState
from kernel.tasks import TaskState
from rules.model.decision import Outcome
from sync.operate.ages import OLDER, count_ages
from sync.store.tables import SyncState

DAYS: Final = 14
EXPIRING: Final = timedelta(days=14)
LATELY: Final = 6
NAMED: Final = 5
MOST_HOLDS: Final = 100
OPEN: Final = (HoldState.OPEN,)
_DAY_SECONDS = 60.0
_PAST_DAY_SECONDS = 3600.0
_LOOKED_THROUGH = 2000
SERIES: Final = (
    Series("allow", "allowed"),
    Series("warn", "allowed with a warning"),
    Series("hold", "held"),
    Series("reject", "rejected"),
)
_UNWELL: Final = (SyncState.FAILING, SyncState.BRAKE, SyncState.LOOPING)


@dataclass(frozen=True, slots=True)
class Matter:
    """Something that needs a person: what it is, why, and where one goes on."""

    title: str
    detail: str
    path: str = ""


async def show(visit: PageVisit) -> Shown:
    """Show everything on one screen."""
    parts, now = visit.parts, visit.parts.clock.now()
    state, gauges = await parts.state(), await parts.gauges()
    expiring = list_exceptions(parts.policies(), now=now, expiring=EXPIRING)
    lately = await visit.read(
        lambda c: page_of_decisions(
            c,
            DecisionFilter(decision=Outcome.REJECT),
            limit=LATELY,
            by_edit=True,
            most_looked_through=_LOOKED_THROUGH,
        )
    )
    held = await visit.read(lambda c: list_holds(c, now=now, states=OPEN, limit=MOST_HOLDS))
    days = await _days(visit, now)
    todo = matters(state, gauges, [one for one in expiring if one["state"] == "current"], held)
    return Shown(
        "today.html",
        {
            "state": state,
            "todo": todo,
            "rejected": lately.decisions,
            "days": days,
            "series": SERIES,
            "chart": _chart(days),
            "ages": await _ages(visit, now),
            "mailboxes": gauges.mailboxes,
            "unwell": sum(gauges.mailboxes.by_state[one] for one in _UNWELL),
            "held": len(held),
            "most_held": MOST_HOLDS,
        },
    )


def matters(
    state: Mapping[str, Any],
    gauges: Gauges,
    expiring: Sequence[Mapping[str, Any]],
    held: Sequence[Mapping[str, Any]] = (),
) -> list[Matter]:
    """Return what needs a person, the most urgent first."""
    found = [
        Matter(
            f"{_requester(one)} asks for {one['address']['after'] or one['record_id']}",
            f"Held by {', '.join(one['rules'])}: a second person has to look.",
            f"/holds/{one['id']}",
        )
        for one in held[:NAMED]
    ]
    if len(held) > NAMED:
        found.append(
            Matter(
                f"{len(held) - NAMED:,} more changes are held",
                "Each waits for a second person.",
                "/holds",
            )
        )
    found += [
        Matter(
            f"The brake {one['brake']} has stopped {one['stopped']}",
            "Too many at once: somebody has to look before the guard goes on.",
            "/mailboxes/brakes",
        )
        for one in state["brakes"]
    ]
    by_state = gauges.tasks.by_state
    waiting = sum(count for (_, its), count in by_state.items() if its is TaskState.NEEDS_PERSON)
    if waiting:
        found.append(
            Matter(
                f"{waiting:,} tasks wait for a person",
                "None passes by itself; each says how it is mended.",
                "/system",
            )
        )
    if gauges.mailboxes.quarantined:
        found.append(
            Matter(
                f"{gauges.mailboxes.quarantined:,} items are set aside",
                "They could not be brought into Dataverse; the mailbox of each says why.",
                f"/mailboxes?state={SyncState.FAILING.value}",
            )
        )
    found += [
        Matter(
            f"The exception {one['name']} ends on {one['expires']}",
            f"It lets {', '.join(one['rules'])} of {one['policy']} pass: {one['reason']}",
            "/policies",
        )
        for one in expiring
    ]
    return found


def _requester(hold: Mapping[str, Any]) -> str:
    asked = hold["requester"]
    return str(asked["name"] or asked["upn"] or asked["id"])


async def _days(visit: PageVisit, now: datetime) -> list[DayCount]:
    """Return the counts of the last days; those that are over are not counted again and again."""
    found = []
    for ago in reversed(range(DAYS)):
        moment = now - timedelta(days=ago)
        found.append(
            await visit.parts.kept.get(
                f"day-{moment.date().toordinal() % (2 * DAYS)}-{min(ago, 1)}",
                _PAST_DAY_SECONDS if ago else _DAY_SECONDS,
                lambda moment=moment: visit.read(lambda c: count_day(c, moment)),  # type: ignore[misc]
            )
        )
    return found


async def _ages(visit: PageVisit, now: datetime) -> Any:
    """Return the chart of how far behind the approved mailboxes are; none where there are none."""
    found = await visit.parts.kept.get(
        "ages", _DAY_SECONDS, lambda: visit.read(lambda c: count_ages(c, now=now))
    )
    if not any(one.count for one in found):
        return None
    chart = [Bar(one.name, (one.count,)) for one in found if one.count or one.name != OLDER]
    return shares(chart, kind="fresh", title="Approved mailboxes by how far behind they are")


def _chart(days: Sequence[DayCount]) -> Any:
    found = [
        Bar(
            f"{one.day.day} {one.day:%b}",
            tuple(one.by_decision.get(its.kind, 0) for its in SERIES),
        )
        for one in days
    ]
    return bars(found, SERIES, title=f"Edits decided in the last {len(days)} days, by day")


PAGE = ConsolePage("Today", "/", views=(View("/", show),))
