"""Decisions as people and programs list them: the shapes of docs/contract.md."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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

ROWS_AT_ONCE = 500
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
)


def list_decisions(
    connection: Connection, wanted: DecisionFilter = ALL, *, limit: int | None = 100
) -> list[dict[str, Any]]:
    """Return the decisions that are wanted, newest first, as docs/contract.md words them."""
    fits = Fits(connection, wanted)
    found: list[Recorded | str] = []
    for row in _rows(connection, selected(wanted)):
        if limit is not None and len(found) >= limit:
            break
        try:
            stated = recorded_from(row)
        except UNREADABLE:
            # Altered beyond reading, it is shown as such and hides no other.
            if fits.is_any:
                found.append(row.id)
            continue
        if fits(stated):
            found.append(stated)
    people = _people(connection, [one for one in found if isinstance(one, Recorded)])
    return [
        _unreadable(one) if isinstance(one, str) else _listed(connection, one, people)
        for one in found
    ]


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
    people = _people(connection, [stated])
    shown = {**stated.public, **_listed(connection, stated, people)}
    shown["status"] = stated.status
    shown["chain"] = {"id": row.chain, "place": row.seq}
    shown["masked"] = stated.private is None
    shown["private"] = None
    if stated.private is not None:
        shown["private"] = with_after(stated.private)
        shown["findings"] = stated.private.get("findings", [])
        shown["facts"] = said.facts(stated)
    return shown


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
