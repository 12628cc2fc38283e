"""Decisions as people and programs list them: the shapes of docs/contract.md."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Select, select

from guard.errors import DecisionUnreadable
from guard.ledger import stated as said
from guard.ledger.entry import Recorded, iso
from guard.ledger.filters import ALL, DecisionFilter, Fits, find_id, selected
from guard.ledger.people import NOBODY, KnownUser, list_people
from guard.ledger.reading import UNREADABLE, WHOLE, recorded_from
from guard.ledger.tables import decisions
from kernel import tasks
from rules.replay.ledger_format import with_after
from rules.replay.recorded import confirmed_by

ROWS_AT_ONCE = 500
# So many records are looked through for one page at most, whatever is searched for.
MOST_LOOKED_THROUGH = 20_000
LISTED = (
    "operation",
    "mode",
    "stage",
    "correlation_id",
    "initiating_user_id",
    "on_behalf_by",
    "policy_set",
    "enforcement",
    "confirms",
    "hold_id",
)


@dataclass(frozen=True, slots=True)
class DecisionPage:
    """Decisions, newest first, and the id before which the next ones stand; None where none do.

    A page may hold fewer than were asked for, even none, and have a next one all the same: so many
    records are looked through for each.
    """

    decisions: list[dict[str, Any]]
    next_id: str | None


def list_decisions(
    connection: Connection, wanted: DecisionFilter = ALL, *, limit: int | None = 100
) -> list[dict[str, Any]]:
    """Return the decisions that are wanted, newest first, as docs/contract.md words them."""
    fits = Fits(connection, wanted)
    rows = _rows(connection, fits.narrowed(selected(wanted)))
    return _all_listed(connection, islice(_fitting(rows, fits), limit))


def page_of_decisions(
    connection: Connection,
    wanted: DecisionFilter = ALL,
    *,
    before: str | None = None,
    limit: int = 50,
    by_edit: bool = False,
    most_looked_through: int = MOST_LOOKED_THROUGH,
) -> DecisionPage:
    """Return the newest decisions that are wanted among those whose ids stand before one.

    What is decided meanwhile stands before the first page and moves none of the others. With
    `by_edit` what confirms another decision is left out: both are about the same edit.
    """
    fits = Fits(connection, wanted)
    statement, floor = fits.narrowed(selected(wanted)), None
    if before is not None:
        statement = statement.where(decisions.c.id < before)
    if wanted.record is None:
        # An index finds the decisions on one record; everything else is looked for in the rows.
        floor = _floor(connection, before, most_looked_through)
    if floor is not None:
        statement = statement.where(decisions.c.id >= floor)
    fitting = _fitting(_rows(connection, statement), fits)
    if by_edit:
        fitting = _without_confirmations(connection, fitting)
    found = list(islice(fitting, limit + 1))
    if len(found) > limit:
        found.pop()
        floor = _id_of(found[-1])
    return DecisionPage(_all_listed(connection, found), floor)


def confirmations_of(connection: Connection, found: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return which of these decisions were confirmed, each with the id of what confirms it."""
    ids: dict[str, str | None] = {one["id"]: one["record_id"] for one in found}
    if not ids:
        return {}
    rows = connection.execute(
        select(decisions.c.id, decisions.c.public).where(
            decisions.c.record_id.in_({*ids.values()} - {None}),
            decisions.c.id > min(ids),
            decisions.c.public.contains('"confirms":"', autoescape=True),
        )
    )
    confirmed = {confirmed_by(row.public): row.id for row in rows}
    return {one: confirmed[one] for one in ids if confirmed.get(one) not in (None, one)}


def get_decision(connection: Connection, decision_id: str) -> dict[str, Any]:
    """Return one decision whole, by its id or the first characters of it.

    Its private part is None when it was masked. Raises DecisionUnknown, DecisionAmbiguous,
    DecisionUnreadable.
    """
    row = connection.execute(
        select(*WHOLE, decisions.c.chain, decisions.c.seq).where(
            decisions.c.id == find_id(connection, decision_id)
        )
    ).one()
    try:
        stated = recorded_from(row)
    except UNREADABLE:
        raise DecisionUnreadable(
            f"The record of decision {row.id} was altered and can no longer be read.",
            hint="`mailbox-guard decisions verify` walks the whole ledger.",
        ) from None
    (shown,) = shown_whole(connection, [(row, stated)])
    if stated.private is not None:
        shown["findings"] = stated.private.get("findings", [])
        shown["facts"] = said.facts(stated)
    return shown


def shown_whole(
    connection: Connection, found: Sequence[tuple[Any, Recorded]]
) -> list[dict[str, Any]]:
    """Return decisions whole, in the order given: each as its row and as what the row says."""
    people = _people(connection, [stated for _, stated in found])
    return [
        {
            **stated.public,
            **_listed(connection, stated, people),
            "status": stated.status,
            "chain": {"id": row.chain, "place": row.seq},
            "masked": stated.private is None,
            "private": None if stated.private is None else with_after(stated.private),
        }
        for row, stated in found
    ]


def _rows(connection: Connection, statement: Select[Any]) -> Iterator[Any]:
    last: str | None = None
    while True:
        page = statement if last is None else statement.where(decisions.c.id < last)
        rows = connection.execute(page.limit(ROWS_AT_ONCE)).all()
        for row in rows:
            last = row.id
            yield row
        if len(rows) < ROWS_AT_ONCE:
            return


def _fitting(rows: Iterable[Any], fits: Fits) -> Iterator[Recorded | str]:
    for row in rows:
        try:
            stated = recorded_from(row)
        except UNREADABLE:
            # Altered beyond reading, it is shown as such and hides no other.
            if fits.is_any:
                yield row.id
            continue
        if fits(stated):
            yield stated


def _without_confirmations(
    connection: Connection, found: Iterable[Recorded | str]
) -> Iterator[Recorded | str]:
    for one in found:
        confirmed = None if isinstance(one, str) else one.public.get("confirms")
        # What confirms a decision that is gone, because it was pruned, stands for the edit alone.
        if (
            confirmed in (None, _id_of(one))
            or connection.scalar(select(decisions.c.id).where(decisions.c.id == confirmed)) is None
        ):
            yield one


def _floor(connection: Connection, before: str | None, count: int) -> str | None:
    """Return the id of the last of so many decisions; None where there are no more than these."""
    ids = select(decisions.c.id).order_by(decisions.c.id.desc())
    if before is not None:
        ids = ids.where(decisions.c.id < before)
    last, *more = connection.scalars(ids.offset(count - 1).limit(2)).all() or [None]
    return last if more else None


def _id_of(one: Recorded | str) -> str:
    return one if isinstance(one, str) else one.id


def _all_listed(connection: Connection, found: Iterable[Recorded | str]) -> list[dict[str, Any]]:
    kept = list(found)
    people = _people(connection, [one for one in kept if isinstance(one, Recorded)])
    return [
        _unreadable(one) if isinstance(one, str) else _listed(connection, one, people)
        for one in kept
    ]


def _people(connection: Connection, found: Sequence[Recorded]) -> Mapping[str, KnownUser]:
    ids = (said.actor_id(one) for one in found)
    return list_people(connection, {one for one in ids if one is not None})


def _listed(
    connection: Connection, stated: Recorded, people: Mapping[str, KnownUser]
) -> dict[str, Any]:
    public = stated.public
    actor_id = said.actor_id(stated)
    actor = people.get(actor_id or "", NOBODY)
    return {
        "id": stated.id,
        "decided_at": iso(stated.decided_at),
        "decision": stated.decision,
        "cause": stated.cause,
        "table": stated.table,
        "record_id": stated.record_id,
        **{name: public.get(name) for name in LISTED},
        "actor": {"id": actor_id, "name": actor.name, "upn": said.actor_upn(stated) or actor.upn},
        "address": said.address(stated),
        "approval": said.approval(stated),
        "altered": said.altered(stated),
        "rules": public.get("rules", []),
        "obligations": _obligations(connection, stated) if public.get("obliged") else [],
    }


def _unreadable(decision_id: str) -> dict[str, Any]:
    nothing = dict.fromkeys(("decided_at", "decision", "cause", "table", "record_id", *LISTED))
    return {
        "id": decision_id,
        **nothing,
        "decision": "unreadable",
        "cause": "unreadable",
        "actor": {"id": None, "name": None, "upn": None},
        "address": {},
        "approval": {},
        "altered": [],
        "rules": [],
        "obligations": [],
    }


def _obligations(connection: Connection, stated: Recorded) -> list[dict[str, Any]]:
    return [
        {
            "kind": task.kind,
            "state": task.state,
            "cause": task.cause,
            "result": task.result,
            "hint": task.hint,
        }
        for task in tasks.list_for(connection, stated.id)
    ]
