"""`/policies`, `/exceptions`, `/try`: what is in force, and what it would say to a change."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from console.api.access import Reader
from console.api.paging import Cursor, Limit, page
from console.api.parts import answer, parts_of
from console.api.shapes import ExceptionGiven, ListPage, PoliciesInForce, Trial, TrialGiven
from console.cursors import place_in
from console.readings.exceptions import list_exceptions
from console.readings.policies import policies_in_force
from console.readings.trial import tried

router: Final = APIRouter(tags=["policies"])


@router.get(
    "/policies",
    response_model=PoliciesInForce,
    summary="Show the policies in force as sentences, and how often each rule fired in 30 days",
)
async def show_policies(request: Request, _: Reader) -> Response:
    """With the rules that never fired; counted once for each edit, since `counted_since`."""
    parts = parts_of(request)
    now, policy_set = parts.clock.now(), parts.policies.current
    found = await parts.database.read(lambda c: policies_in_force(c, policy_set, now=now))
    return answer({**found, "loaded_at": parts.policies.loaded_at.isoformat()})


@router.get(
    "/exceptions",
    response_model=ListPage[ExceptionGiven],
    summary="List the exceptions in force, the next to end first",
)
async def list_exceptions_in_force(
    request: Request, _: Reader, limit: Limit = 100, cursor: Cursor = None
) -> Response:
    """What each permits, on whose word, and until when."""
    parts = parts_of(request)
    policy_set, search = parts.policies.current, {"list": "exceptions"}
    after = place_in(cursor, search)
    found = list_exceptions(policy_set, now=parts.clock.now())
    names = [one["name"] for one in found]
    begin = names.index(after) + 1 if after in names else 0
    some = found[begin : begin + limit]
    more = some[-1]["name"] if some and len(found) > begin + limit else None
    return page(request, some, more, search)


@router.post(
    "/try",
    response_model=TrialGiven,
    summary="Decide a change that nobody made, by the policies of today",
)
async def try_change(request: Request, _: Reader, change: Trial) -> Response:
    """Facts are those that are given; nothing is looked up, recorded or done."""
    parts = parts_of(request)
    document = {
        name: value
        for name, value in change.model_dump(exclude_none=True).items()
        if value != {} or name in ("old", "new")
    }
    return answer(tried(document, parts.policies.current, now=parts.clock.now()))
