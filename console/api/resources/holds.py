"""`/holds`: what rules hold until a second person agrees, with the evidence; and their word."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response

from console.api.access import Approver, Reader, Refuser
from console.api.paging import Cursor, Limit, page
from console.api.parts import answer, parts_of
from console.api.shapes import HoldGiven, HoldWhole, ListPage, Told
from console.cursors import place_in
from guard import holds
from guard.ledger.parked import WAITING, HoldState
from kernel.errors import Unavailable

router: Final = APIRouter(prefix="/holds", tags=["holds"])
Id = Annotated[
    str,
    Path(
        min_length=4,
        max_length=64,
        pattern=r"^[0-9a-fA-F][0-9a-fA-F-]*$",
        description="The id of a hold, or its first characters.",
    ),
]


@router.get("", response_model=ListPage[HoldGiven], summary="List what waits for a second person")
async def list_holds(
    request: Request,
    _: Reader,
    state: Annotated[
        HoldState | None, Query(description="Only those in this state; else those that wait.")
    ] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """Newest first: open, or released and not used yet."""
    parts, search = parts_of(request), {"list": "holds", "state": state}
    before, now = place_in(cursor, search), parts.clock.now()
    states = WAITING if state is None else (state,)
    found = await parts.database.read(
        lambda c: holds.list_holds(c, now=now, states=states, limit=limit + 1, before=before)
    )
    place = found[limit - 1]["id"] if len(found) > limit else None
    return page(request, found[:limit], place, search)


@router.get("/{hold_id}", response_model=HoldWhole, summary="Show one hold with its evidence")
async def show_hold(request: Request, _: Reader, hold_id: Id) -> Response:
    """What was asked for by whom, on which facts, what happened to the row, who may release it."""
    parts = parts_of(request)
    now, policy_set = parts.clock.now(), parts.policies.current
    found = await parts.database.read(
        lambda c: holds.show_hold(c, hold_id, now=now, policy_set=policy_set)
    )
    return answer(found)


@router.post("/{hold_id}/approve", response_model=HoldWhole, summary="Release a hold")
async def approve_hold(request: Request, person: Approver, hold_id: Id, told: Told) -> Response:
    """It is judged anew, with facts looked up for this; where a rule rejects by now, that wins.

    Only another person than who asked, whom the rules let. The answer is the hold as it stands.
    """
    means = parts_of(request).means
    if means is None:
        raise Unavailable("There is no guard here that could release anything.")
    return answer(await holds.approve(means, hold_id, person, reason=told.reason.strip()))


@router.post("/{hold_id}/refuse", response_model=HoldWhole, summary="Refuse a hold")
async def refuse_hold(request: Request, person: Refuser, hold_id: Id, told: Told) -> Response:
    """Also one that was released and not used yet. An operator or an approver may."""
    parts = parts_of(request)
    found = await holds.refuse(
        parts.database, parts.clock, hold_id, person, reason=told.reason.strip()
    )
    return answer(found)
