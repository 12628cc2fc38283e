"""*Decisions*: the edits that were decided, found again; the page of one tells its whole story."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from sqlalchemy import Connection

from console.cursors import cursor_for, place_in
from console.drafts import case_text, exception_texts, recorded_change
from console.edits import actor_text, changed_text
from console.readings.again import explained, replayed
from console.readings.edit import edit_of, page_of_edits
from console.web.page import ConsolePage, PageVisit, Shown, View
from guard.columns.table import TABLES
from guard.errors import DecisionMasked
from guard.ledger.filters import DecisionFilter, find_id
from guard.ledger.listing import DecisionPage
from guard.ledger.replay import find_past, find_set
from kernel.errors import GuardError, InputRefused
from rules.engine.policy_set import PolicySet
from rules.model.catalogue import Catalogue
from rules.model.decision import Outcome
from rules.policy.messages import value_words
from rules.replay.ledger_format import ValueUnreadable, value_from

ON_A_PAGE: Final = 30
_MOST_TEXT: Final = 200
_TEXTS: Final = ("actor", "address", "record", "rule", "table")
_DAYS: Final = ("since", "until")
FIELDS: Final = ("decision", *_TEXTS, *_DAYS)
_NOTHING: Final = DecisionPage([], None)
OUTCOMES: Final = tuple(one.value for one in Outcome)


async def search(visit: PageVisit) -> Shown:
    """Show the edits that fit, newest first; what nothing can fit is said beside the form."""
    asked = {name: visit.query.get(name, "").strip()[:_MOST_TEXT] for name in FIELDS}
    given = {name: text for name, text in asked.items() if text}
    found, refused = _NOTHING, None
    try:
        wanted = _filter(given)
        before = place_in(visit.query.get("cursor"), given)
        found = await visit.read(lambda c: page_of_edits(c, wanted, before=before, limit=ON_A_PAGE))
    except InputRefused as error:
        refused = error
    onward = None
    if found.next_id is not None:
        cursor = cursor_for(found.next_id, given)
        onward = f"/decisions?{urlencode({**given, 'cursor': cursor})}"
    return Shown(
        "decisions.html",
        {
            "asked": asked,
            "is_search": bool(given),
            "is_first": "cursor" not in visit.query,
            "edits": [_line(one) for one in found.decisions],
            "onward": onward,
            "refused": refused,
            "outcomes": OUTCOMES,
            "tables": sorted(TABLES),
        },
        200 if refused is None else refused.http_status,
    )


async def story(visit: PageVisit) -> Shown:
    """Show who, what, why and what then."""
    decision_id = visit.path["decision_id"]
    found = await visit.read(lambda c: edit_of(c, decision_id))
    why, not_told = await _told(visit, found["id"])
    catalogue = visit.parts.policies().catalogue
    return Shown(
        "decision.html",
        {
            "edit": found,
            "what": changed_text(found),
            "who_did": actor_text(found),
            "sides": _sides(found, catalogue),
            "facts": _facts(found, catalogue),
            "missing": sorted(((found["private"] or {}).get("missing") or {}).items()),
            "why": why,
            "not_told": not_told,
        },
    )


async def again(visit: PageVisit) -> Shown:
    """Show what the policies of today say to the same change; nothing is recorded."""
    policy_set, decision_id = visit.parts.policies(), visit.path["decision_id"]

    def read(connection: Connection) -> tuple[dict[str, Any], dict[str, Any]]:
        past = find_past(connection, find_id(connection, decision_id))
        return replayed(past, policy_set), explained(past, policy_set)

    result, why = await visit.read(read)
    return Shown("again.html", {"result": result, "why": why})


async def draft_test(visit: PageVisit) -> Shown:
    """Show the decision as a policy test, to be copied into the policy folder."""
    decision_id, catalogue = visit.path["decision_id"], visit.parts.policies().catalogue
    past = await visit.read(lambda c: recorded_change(c, find_id(c, decision_id)))
    file = f"tests/decision-{past.id}.test.yaml"
    return _drafted(past.id, "A test of this decision", {file: case_text(past, catalogue)})


async def draft_exceptions(visit: PageVisit) -> Shown:
    """Show the exceptions that would have let the change pass, to be finished by a person."""
    decision_id, catalogue = visit.path["decision_id"], visit.parts.policies().catalogue
    now = visit.parts.clock.now()

    def read(connection: Connection) -> tuple[str, dict[str, str]]:
        past = recorded_change(connection, find_id(connection, decision_id))
        names = edit_of(connection, past.id)["names"]
        return past.id, exception_texts(past, catalogue, now=now, words={}, names=names)

    found, drafts = await visit.read(read)
    return _drafted(found, "Exceptions for this edit", drafts)


def _drafted(decision_id: str, title: str, files: Mapping[str, str]) -> Shown:
    return Shown("draft.html", {"decision_id": decision_id, "title": title, "files": files})


def _filter(given: Mapping[str, str]) -> DecisionFilter:
    days = {name: _day(given[name], name) for name in _DAYS if name in given}
    if "until" in days:
        # The day itself is meant, whole.
        days["until"] += timedelta(days=1)
    decision = given.get("decision")
    if decision is not None and decision not in OUTCOMES:
        raise InputRefused(f"`{decision}` is no decision.", hint=f"Known: {', '.join(OUTCOMES)}.")
    return DecisionFilter(
        **{name: given[name] for name in _TEXTS if name in given},
        decision=decision,
        since=days.get("since"),
        until=days.get("until"),
    )


def _day(text: str, name: str) -> datetime:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:
        raise InputRefused(
            f"`{text}` is no day, so nothing is {name} then.", hint="Write it as 2026-11-23."
        ) from None


def _line(one: Mapping[str, Any]) -> dict[str, Any]:
    return {**one, "what": changed_text(one), "who": actor_text(one)}


async def _told(
    visit: PageVisit, decision_id: str
) -> tuple[dict[str, Any] | None, GuardError | None]:
    """Return why it was decided so, by the policies recorded with it; or why that can't be told."""

    def read(connection: Connection) -> dict[str, Any]:
        past = find_past(connection, decision_id)
        return explained(past, _set_of(connection, past.policy_set))

    try:
        return await visit.read(read), None
    except InputRefused as error:
        return None, error


def _set_of(connection: Connection, digest: str | None) -> PolicySet:
    found = find_set(connection, digest)
    if found is None:
        raise DecisionMasked(
            "The policy set that decided it isn't recorded.",
            hint="Replay it under the policies of today.",
        )
    return found


def _sides(found: Mapping[str, Any], catalogue: Catalogue) -> list[dict[str, Any]]:
    """Return the guarded columns that were altered, before and after, choices by their label."""
    private = found["private"] or {}
    before, after = private.get("before") or {}, private.get("after") or {}
    sides = []
    for name in found["altered"]:
        key = name if name in before or name in after else f"{name}.id"
        sides.append(
            {
                "name": name,
                "before": _words(before.get(key), found, catalogue, key),
                "after": _words(after.get(key), found, catalogue, key),
            }
        )
    return sides


def _facts(found: Mapping[str, Any], catalogue: Catalogue) -> list[dict[str, Any]]:
    return [
        {**one, "value": _words(one["value"], found, catalogue, one["name"])}
        for one in found.get("facts") or ()
    ]


def _words(stored: Any, found: Mapping[str, Any], catalogue: Catalogue, path: str) -> str:
    """Return a stored value as people read it: choices by label, ids with the name behind them."""
    try:
        value = value_from(stored)
    except ValueUnreadable:
        return "(unreadable)"
    reference = catalogue.resolve(str(found["table"]), path)
    words = value_words(value, reference)
    name = found["names"].get(value) if isinstance(value, str) else None
    return f"{name} ({words})" if name else words


PAGE: Final = ConsolePage(
    "Decisions",
    "/decisions",
    views=(
        View("/decisions", search),
        View("/decisions/{decision_id}", story),
        View("/decisions/{decision_id}/again", again),
        View("/decisions/{decision_id}/test", draft_test),
        View("/decisions/{decision_id}/exceptions", draft_exceptions),
    ),
)
