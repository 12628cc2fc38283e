"""`/mailboxes`: what is held of each mailbox, who reached it, and what people may tell it."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated, Final

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response

from console.api import examples
from console.api.access import Giver, Operator, Reader
from console.api.paging import Cursor, Limit, page
from console.api.parts import answer, parts_of
from console.api.shapes import AccessGiven, DoneGiven, ListPage, MailboxGiven, MailboxWhole, Told
from console.cursors import CursorUnusable, place_in
from kernel.errors import GuardError
from sync.operate import mailboxes

router: Final = APIRouter(prefix="/mailboxes", tags=["mailboxes"])
Named = Annotated[
    str,
    Path(
        min_length=1,
        max_length=200,
        pattern=r"^[^\x00-\x1f\x7f]+$",
        description="The record id, its beginning, or the address.",
        examples=[examples.MAILBOX_ID],
    ),
]


@router.get(
    "",
    response_model=ListPage[MailboxGiven],
    summary="List every mailbox that was ever approved, or refused with a reason",
)
async def list_mailboxes(
    request: Request, _: Reader, limit: Limit = 100, cursor: Cursor = None
) -> Response:
    """By record id, with approval, epoch, state and freshness."""
    parts, search = parts_of(request), {"list": "mailboxes"}
    after, now = place_in(cursor, search), parts.clock.now()
    found = await parts.database.read(
        lambda c: mailboxes.page_of_mailboxes(c, after=after, limit=limit + 1, now=now)
    )
    place = found[limit - 1]["id"] if len(found) > limit else None
    return page(request, found[:limit], place, search)


@router.get(
    "/{mailbox}",
    response_model=MailboxWhole,
    summary="Show one mailbox with its evidence, tasks and newest accesses",
)
async def show_mailbox(request: Request, _: Reader, mailbox: Named) -> Response:
    """Everything that is held of it."""
    parts = parts_of(request)
    now = parts.clock.now()
    found = await parts.database.read(lambda c: mailboxes.show_mailbox(c, mailbox, now=now))
    return answer(found)


@router.get(
    "/{mailbox}/access",
    response_model=ListPage[AccessGiven],
    summary="List who reached it: the access log",
)
async def list_access(
    request: Request, _: Reader, mailbox: Named, limit: Limit = 100, cursor: Cursor = None
) -> Response:
    """Every answer of Exchange that held items of it, newest first."""
    parts, search = parts_of(request), {"list": "access", "of": mailbox}
    place = place_in(cursor, search)
    before = _number(place) if place is not None else None
    found = await parts.database.read(
        lambda c: mailboxes.list_access(c, mailbox, before=before, limit=limit + 1)
    )
    last = str(found[limit - 1]["id"]) if len(found) > limit else None
    return page(request, found[:limit], last, search)


@router.post(
    "/{mailbox}/pause",
    response_model=DoneGiven,
    summary="Let a mailbox rest until it is resumed",
)
async def pause_mailbox(request: Request, person: Operator, mailbox: Named, told: Told) -> Response:
    """Answers when no further access can begin."""
    parts = parts_of(request)
    await mailboxes.pause(
        parts.database, parts.clock, mailbox, by=person, reason=told.reason.strip()
    )
    return answer({"done": True, "by": person.name})


@router.post(
    "/{mailbox}/resume",
    response_model=DoneGiven,
    summary="End a pause or a brake, and try again what has stopped",
)
async def resume_mailbox(request: Request, person: Giver, mailbox: Named) -> Response:
    """`done` is false where the mailbox is not approved: then it is not synced all the same."""
    parts = parts_of(request)
    is_approved = await mailboxes.resume(parts.database, parts.clock, mailbox, by=person)
    return answer({"done": is_approved, "by": person.name})


@router.post(
    "/{mailbox}/withdraw",
    response_model=DoneGiven,
    summary="Withdraw the approval of a mailbox",
)
async def withdraw_mailbox(
    request: Request, person: Operator, mailbox: Named, told: Told
) -> Response:
    """Answers when no further access can begin. The word stands until a newer approval.

    `done` is false where it was not approved; the word is remembered all the same.
    """
    parts = parts_of(request)
    was_approved = await mailboxes.withdraw(
        parts.database, parts.clock, mailbox, by=person.name, reason=told.reason.strip()
    )
    # The word must outlast a database that is restored; the next round writes it in any case.
    with suppress(GuardError):
        await parts.anchor()
    return answer({"done": was_approved, "by": person.name})


def _number(place: str) -> int:
    if not place.isdecimal() or len(place) > 18:
        raise CursorUnusable("The cursor is of another list.", hint="Begin anew without it.")
    return int(place)
