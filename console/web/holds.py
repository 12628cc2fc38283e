"""*Holds*: what waits for a second person, with the evidence beside it, and their word."""

from __future__ import annotations

from typing import Final

from console.web.page import Act, ConsolePage, Onward, PageVisit, Shown, View
from console.web.values import flattened
from guard import holds
from guard.holds import list_holds, show_hold
from guard.holds.refusing import may_refuse
from guard.ledger.parked import WAITING, HoldState, Settlement
from kernel.errors import Unavailable
from kernel.principal import AppRole

SHOWN: Final = 50
MOST_REASON: Final = 500
_HERE = "/holds"
_TONES: Final = {
    HoldState.OPEN: "warn",
    HoldState.APPROVED: "good",
    HoldState.USED: "good",
    HoldState.APPLIED: "good",
    HoldState.REFUSED: "bad",
    HoldState.EXPIRED: "calm",
    HoldState.SUPERSEDED: "calm",
}
_APPROVALS: Final = {None: "empty", 0: "empty", 1: "approved", 2: "pending", 3: "rejected"}


async def show_all(visit: PageVisit) -> Shown:
    """Show what waits, newest first; with `all` what was settled too."""
    is_all = "all" in visit.query
    states = tuple(HoldState) if is_all else WAITING
    now, before = visit.parts.clock.now(), visit.query.get("before", "")[:100] or None
    found = await visit.read(
        lambda c: list_holds(c, now=now, states=states, limit=SHOWN + 1, before=before)
    )
    more = len(found) > SHOWN
    return Shown(
        "holds.html",
        {
            "holds": found[:SHOWN],
            "is_all": is_all,
            "tones": _TONES,
            "before": found[SHOWN - 1]["id"] if more else None,
        },
    )


async def show_one(visit: PageVisit) -> Shown:
    """Show one hold with its evidence. Raises HoldUnknown, HoldAmbiguous."""
    now, name, policies = visit.parts.clock.now(), visit.path["id"], visit.parts.policies()
    hold = await visit.read(lambda c: show_hold(c, name, now=now, policy_set=policies))
    state = HoldState(hold["state"])
    return Shown(
        "hold.html",
        {
            "hold": hold,
            "tone": _TONES[state],
            "doc": state.doc,
            "release_doc": Settlement(hold["release"]).doc,
            "approvals": _APPROVALS,
            "evidence": flattened(hold["evidence"]),
            "may_approve": state is HoldState.OPEN and visit.principal.may_approve,
            "may_refuse": state in WAITING and may_refuse(visit.principal),
            "is_open": state is HoldState.OPEN,
        },
    )


async def approve(visit: PageVisit) -> Onward:
    """Release it on an approver's word; it is judged anew, and a rejection wins."""
    means = visit.parts.means
    if means is None:
        raise Unavailable("There is no guard here that could release anything.")
    reason = visit.written("reason", most=MOST_REASON)
    answered = await holds.approve(means, visit.path["id"], visit.principal, reason=reason)
    is_released = HoldState(answered["state"]) is HoldState.APPROVED
    return Onward(f"{_HERE}/{answered['id']}", "approved" if is_released else "rejected")


async def refuse(visit: PageVisit) -> Onward:
    """Refuse it on a person's word."""
    parts, reason = visit.parts, visit.written("reason", most=MOST_REASON)
    answered = await holds.refuse(
        parts.database, parts.clock, visit.path["id"], visit.principal, reason=reason
    )
    return Onward(f"{_HERE}/{answered['id']}", "refused")


PAGE = ConsolePage(
    "Holds",
    _HERE,
    views=(View(_HERE, show_all), View(f"{_HERE}/{{id}}", show_one)),
    acts=(
        Act(f"{_HERE}/{{id}}/approve", approve, AppRole.APPROVER, gives=True),
        # Who may refuse, the act itself knows: it only takes away.
        Act(f"{_HERE}/{{id}}/refuse", refuse, AppRole.READER),
    ),
    said={
        "approved": "It is released; the requester is told what to do.",
        "rejected": "It was judged anew, and by now the rules do not let it pass.",
        "refused": "It is refused; the requester is told why.",
    },
)
