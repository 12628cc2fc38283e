"""`/brakes`: what brakes have stopped, and the word to go on."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response

from console.api.access import Giver, Reader
from console.api.paging import Cursor, Limit, page
from console.api.parts import answer, parts_of
from console.api.shapes import ListPage, StopGiven
from console.cursors import place_in
from console.readings.brakes import list_stops, release
from kernel.stops import RELEASED

router: Final = APIRouter(prefix="/brakes", tags=["brakes"])
Brake = Annotated[
    str,
    Path(
        max_length=64,
        pattern=r"^[a-z][a-z.-]*$",
        description="The name of a brake; docs/operations.md lists them.",
        examples=["guard.gone"],
    ),
]


@router.get(
    "",
    response_model=ListPage[StopGiven],
    summary="List what brakes have stopped",
)
async def list_brakes(
    request: Request, _: Reader, limit: Limit = 100, cursor: Cursor = None
) -> Response:
    """By brake, scope and subject, with the mailboxes that rest for it."""
    search = {"list": "brakes"}
    place = place_in(cursor, search)
    found = await parts_of(request).database.read(list_stops)
    # Few by nature: a brake stops because there would be many.
    begin = int(place) if place is not None and place.isdecimal() else 0
    some = found[begin : begin + limit]
    more = str(begin + limit) if len(found) > begin + limit else None
    return page(request, some, more, search)


@router.post(
    "/{brake}/release",
    response_model=ListPage[StopGiven],
    summary="Let everything go on that a brake has stopped",
)
async def release_brake(request: Request, person: Giver, brake: Brake) -> Response:
    """Give what goes on; nothing where that brake had stopped nothing. What it stops later counts
    anew.
    """
    parts = parts_of(request)
    now = parts.clock.now()
    found = await parts.database.write(
        lambda c: release(c, brake, by=person, now=now), failpoint=RELEASED
    )
    return answer({"items": found, "next": None})
