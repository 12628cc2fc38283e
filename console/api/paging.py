"""How a route gives a list page by page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Query, Request
from fastapi.responses import Response

from console.api.parts import answer
from console.api.shapes import MOST_ON_A_PAGE
from console.cursors import LONGEST, cursor_for

Limit = Annotated[int, Query(ge=1, le=MOST_ON_A_PAGE, description="How many at most.")]
Cursor = Annotated[
    str | None,
    Query(max_length=LONGEST, description="`next` of the page before, with the same search."),
]


def page(
    request: Request,
    items: Sequence[Mapping[str, Any]],
    place: str | None,
    search: Mapping[str, Any],
) -> Response:
    """Return a page; `place` is where the next one begins, None at the end.

    The next page is named twice: as `next` in the body, and whole as a link in the head (RFC 8288).
    """
    cursor = None if place is None else cursor_for(place, search)
    link = None
    if cursor is not None:
        others = [pair for pair in request.query_params.multi_items() if pair[0] != "cursor"]
        link = f"?{urlencode([*others, ('cursor', cursor)])}"
    return answer({"items": list(items), "next": cursor}, next_link=link)
