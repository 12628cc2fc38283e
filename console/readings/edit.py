"""One decision as the story of an edit: with the names that are known of the ids in it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from sqlalchemy import Connection

from console.edits import CONFIRMED, seen
from guard.columns.table import TABLES
from guard.ledger import mirror
from guard.ledger.filters import DecisionFilter, refuse_misspelt
from guard.ledger.listing import (
    DecisionPage,
    confirmations_of,
    get_decision,
    page_of_decisions,
)

_ID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\Z")
# Of whom an id speaks, the facts may say a name too: the better ones stand first.
_NAMING: Final = ("name", "fullName", "upn", "entraUpn", "mail")
_MOST_NAMED: Final = 50


def edit_of(connection: Connection, decision_id: str) -> dict[str, Any]:
    """Return one decision whole (docs/contract.md), with `names` and `confirmed_by`.

    Raises DecisionUnknown, DecisionAmbiguous, DecisionUnreadable.
    """
    found = get_decision(connection, decision_id)
    found["names"] = names_in(connection, found)
    confirmed_by = confirmations_of(connection, [found]).get(found["id"])
    found["confirmed_by"] = confirmed_by
    found["seen"] = CONFIRMED if confirmed_by is not None else seen(found)
    return found


def page_of_edits(
    connection: Connection, wanted: DecisionFilter, *, before: str | None, limit: int
) -> DecisionPage:
    """Return a page with one entry for each edit; `seen` says before or after commit, or both.

    What is searched for must fit. Raises InputRefused for what nothing can fit.
    """
    refuse_misspelt(connection, wanted)
    found = page_of_decisions(connection, wanted, before=before, limit=limit, by_edit=True)
    confirmed = confirmations_of(connection, found.decisions)
    entries = [
        {
            **one,
            "seen": CONFIRMED if one["id"] in confirmed else seen(one),
            "confirmed_by": confirmed.get(one["id"]),
        }
        for one in found.decisions
    ]
    return DecisionPage(entries, found.next_id)


def names_in(connection: Connection, found: Mapping[str, Any]) -> dict[str, str]:
    """Return the names that the recorded facts, or else the guard's copies, give to its ids."""
    private = found.get("private") or {}
    facts: Mapping[str, Any] = private.get("facts") or {}
    names = dict(_named_by_facts(facts))
    actor = found["actor"]
    if actor["id"] and (actor["name"] or actor["upn"]):
        names[actor["id"]] = _both(actor["name"], actor["upn"])
    ids = {one for one in _ids_in(found, private, facts) if one not in names}
    for table in TABLES if ids else ():
        rows = mirror.list_by_ids(connection, table, sorted(ids)[:_MOST_NAMED])
        names |= {one: row.name for one, row in rows.items() if row.name}
    return names


def _named_by_facts(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for path, value in facts.items():
        owner, _, last = path.rpartition(".")
        if last not in ("id", "objectId") or not _is_id(value):
            continue
        told = [facts.get(f"{owner}.{name}") for name in _NAMING]
        for name in told:
            if isinstance(name, str) and name:
                yield value, name
                break


def _ids_in(
    found: Mapping[str, Any], private: Mapping[str, Any], facts: Mapping[str, Any]
) -> Iterator[str]:
    sides = (private.get("before") or {}, private.get("after") or {}, facts)
    values = [value for side in sides for value in side.values()]
    yield from filter(_is_id, (found["record_id"], found["initiating_user_id"], *values))


def _is_id(value: Any) -> bool:
    return isinstance(value, str) and _ID.match(value) is not None


def _both(name: str | None, upn: str | None) -> str:
    return f"{name} <{upn}>" if name and upn else str(name or upn)
