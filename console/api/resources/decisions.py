"""`/decisions`: what was decided, why, and what can be made of it."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Final

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response
from sqlalchemy import Connection

from console.api import examples
from console.api.access import Reader
from console.api.paging import page
from console.api.parts import ApiParts, answer, parts_of
from console.api.shapes import (
    DecisionGiven,
    DecisionSearch,
    DecisionWhole,
    Drafts,
    ExplanationGiven,
    Line,
    ListPage,
    Replay,
)
from console.cursors import place_in
from console.drafts import case_text, exception_texts, recorded_change
from console.readings.again import explained, replayed
from console.readings.edit import edit_of, page_of_edits
from guard.errors import DecisionMasked
from guard.ledger.filters import DecisionFilter, find_id, refuse_misspelt
from guard.ledger.listing import DecisionPage, page_of_decisions
from guard.ledger.replay import find_past, find_set
from rules.engine.policy_set import PolicySet
from rules.replay.recorded import PastDecision

router: Final = APIRouter(prefix="/decisions", tags=["decisions"])


class By(StrEnum):
    """Which policies decide again."""

    TODAY = "today"
    RECORDED = "recorded"


Id = Annotated[
    str,
    Path(
        min_length=4,
        max_length=64,
        pattern=r"^[0-9a-fA-F][0-9a-fA-F-]*$",
        description="The id of a decision, or its first characters.",
        examples=[examples.DECISION_ID],
    ),
]
Which = Annotated[By, Query(description="The policies of today, or those recorded with it.")]


@router.get(
    "",
    response_model=ListPage[DecisionGiven],
    summary="List and search decisions, newest first",
)
async def list_decisions(
    request: Request,
    _: Reader,
    search: Annotated[DecisionSearch, Query()],
) -> Response:
    """Each page looks through so many records at most: it may hold few, or none, and have a next.

    What is decided meanwhile stands before the first page and moves none of the others.
    """
    parts = parts_of(request)
    named = search.model_dump(exclude={"limit", "cursor", "by_edit"})
    wanted = DecisionFilter(
        **named | {"since": _aware(search.since), "until": _aware(search.until)}
    )
    told = {"list": "decisions", "by_edit": search.by_edit, **named}
    before = place_in(search.cursor, told)

    def read(connection: Connection) -> DecisionPage:
        if search.by_edit:
            return page_of_edits(connection, wanted, before=before, limit=search.limit)
        refuse_misspelt(connection, wanted)
        return page_of_decisions(connection, wanted, before=before, limit=search.limit)

    found = await parts.database.read(read)
    return page(request, found.decisions, found.next_id, told)


@router.get(
    "/{decision_id}",
    response_model=DecisionWhole,
    summary="Show one decision whole",
)
async def show_decision(request: Request, _: Reader, decision_id: Id) -> Response:
    """Findings, facts with source and age, obligations, and the names that are known of its ids."""
    found = await parts_of(request).database.read(lambda c: edit_of(c, decision_id))
    return answer(found)


@router.get(
    "/{decision_id}/explanation",
    response_model=ExplanationGiven,
    summary="Tell why it was decided so, as a tree with values",
)
async def explain_decision(
    request: Request, _: Reader, decision_id: Id, by: Which = By.RECORDED
) -> Response:
    """Every policy, rule and condition with what it saw; for a confirmation what it confirmed."""
    parts = parts_of(request)
    found = await parts.database.read(lambda c: explained(*_past(c, decision_id, by, parts)))
    return answer(found)


@router.get(
    "/{decision_id}/replay",
    response_model=Replay,
    summary="Decide a recorded change again",
)
async def replay_decision(
    request: Request, _: Reader, decision_id: Id, by: Which = By.TODAY
) -> Response:
    """Nothing is recorded, and nothing follows from it."""
    parts = parts_of(request)
    found = await parts.database.read(lambda c: replayed(*_past(c, decision_id, by, parts)))
    return answer(found)


@router.get(
    "/{decision_id}/test",
    response_model=Drafts,
    summary="Write a decision as a test of policies",
)
async def draft_test(request: Request, _: Reader, decision_id: Id) -> Response:
    """One file for the folder `tests`: this change, these facts, exactly this outcome."""
    parts = parts_of(request)
    catalogue = parts.policies.current.catalogue
    past = await parts.database.read(lambda c: recorded_change(c, find_id(c, decision_id)))
    file = {"file": f"tests/decision-{past.id}.test.yaml", "text": case_text(past, catalogue)}
    return answer({"decision_id": past.id, "files": [file]})


@router.get(
    "/{decision_id}/exceptions",
    response_model=Drafts,
    summary="Draft the exceptions that would have let a change pass",
)
async def draft_exceptions(
    request: Request,
    _: Reader,
    decision_id: Id,
    reason: Annotated[Line | None, Query(description="Why it is right to let this pass.")] = None,
    ticket: Annotated[Line | None, Query(description="Where it was asked for.")] = None,
    approved_by: Annotated[Line | None, Query(description="Who approved it.")] = None,
) -> Response:
    """A file for each policy; it loads once a person has filled in what stands empty."""
    parts = parts_of(request)

    def read(connection: Connection) -> dict[str, str]:
        past = recorded_change(connection, find_id(connection, decision_id))
        words = {"reason": reason or "", "ticket": ticket or "", "approvedBy": approved_by or ""}
        return exception_texts(
            past,
            parts.policies.current.catalogue,
            now=parts.clock.now(),
            words=words,
            names=edit_of(connection, past.id)["names"],
        )

    drafts = await parts.database.read(read)
    whole_id = await parts.database.read(lambda c: find_id(c, decision_id))
    files = [{"file": file, "text": text} for file, text in drafts.items()]
    return answer({"decision_id": whole_id, "files": files})


def _past(
    connection: Connection, decision_id: str, by: By, parts: ApiParts
) -> tuple[PastDecision, PolicySet]:
    """Return a recorded decision and the set that decides it again. Raises DecisionMasked."""
    past = find_past(connection, find_id(connection, decision_id))
    if by is By.TODAY:
        return past, parts.policies.current
    policy_set = find_set(connection, past.policy_set)
    if policy_set is None:
        raise DecisionMasked(
            f"The policy set of the decision {past.id} isn't recorded.",
            hint="The policies of today decide it with `by=today`.",
        )
    return past, policy_set


def _aware(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment
