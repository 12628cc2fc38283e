"""Holds as people and programs see them: the shapes of docs/contract.md.

The evidence stands in the record of the decision that held the change; the ledger proves it
unaltered. What was masked there is gone here too.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from guard.columns.compare import differing
from guard.columns.table import APPROVAL, TABLES
from guard.errors import DecisionUnknown, DecisionUnreadable, HoldAmbiguous, HoldUnknown
from guard.ledger import holds
from guard.ledger.entry import iso
from guard.ledger.filters import DecisionFilter, id_start
from guard.ledger.listing import get_decision, list_decisions
from guard.ledger.parked import WAITING, Hold, HoldState
from guard.ledger.people import NOBODY, KnownUser, list_people
from guard.parking import terms_of
from rules.engine.policy_set import PolicySet
from rules.model.change import Value
from rules.policy.policy import ReleaseTerms

MOST_LISTED = 1000
HISTORY_DAYS = 90
MOST_HISTORY = 20


def list_holds(
    connection: Connection,
    *,
    now: datetime,
    states: Collection[HoldState] = WAITING,
    limit: int = 100,
    before: str | None = None,
) -> list[dict[str, Any]]:
    """Return the holds in these states, newest first; `before` is the id where a page ended."""
    found = holds.list_page(
        connection, states=states, now=now, limit=min(limit, MOST_LISTED), before=before
    )
    people = _people(connection, found)
    return [_listed(one, people, now) for one in found]


def show_hold(
    connection: Connection, hold_id: str, *, now: datetime, policy_set: PolicySet | None = None
) -> dict[str, Any]:
    """Return one hold with its evidence, by its id or the first characters of it.

    With the policy set that holds now it says who may release it. Raises HoldUnknown,
    HoldAmbiguous.
    """
    hold = find_hold(connection, hold_id)
    shown = _listed(hold, _people(connection, [hold]), now)
    change = hold.change
    shown["before"] = _told(change.before, change.altered)
    shown["after"] = _told(change.after, change.altered)
    shown["identities"] = dict(hold.identities)
    shown |= _evidence(connection, hold)
    wanted = DecisionFilter(record=change.record_id, since=now - timedelta(days=HISTORY_DAYS))
    shown["history"] = (
        list_decisions(connection, wanted, limit=MOST_HISTORY) if change.record_id else []
    )
    if policy_set is not None:
        terms = terms_of(policy_set, change.table, hold.rules)
        told = zip(hold.rules, terms, strict=True)
        shown["approvers"] = [_terms(rule, one) for rule, one in told]
    return shown


def find_hold(connection: Connection, start: str) -> Hold:
    """Return the hold whose id begins so. Raises HoldUnknown, HoldAmbiguous."""
    wanted = id_start(start)
    ids = holds.find_ids(connection, wanted) if wanted is not None else []
    if len(ids) > 1:
        raise HoldAmbiguous(
            f"Several holds have ids that begin with {start}: {', '.join(ids)}.",
            hint="Give more of the id.",
        )
    hold = holds.find(connection, ids[0]) if ids else None
    if hold is None:
        raise HoldUnknown(
            f"No hold has the id {start}.",
            hint="`mailbox-guard holds list --state all` shows the ids.",
        )
    return hold


def _people(connection: Connection, found: Sequence[Hold]) -> Mapping[str, KnownUser]:
    ids = {user_id for one in found for user_id in _acted(one)}
    return list_people(connection, ids)


def _acted(hold: Hold) -> list[str]:
    people = (hold.change.requester_id, hold.change.on_behalf_by)
    return [one for one in people if one is not None]


def _listed(hold: Hold, people: Mapping[str, KnownUser], now: datetime) -> dict[str, Any]:
    change, address = hold.change, TABLES[hold.change.table].address
    delegate = change.on_behalf_by
    return {
        "id": hold.id,
        "state": hold.state_at(now).value,
        "release": change.settlement.value,
        "table": change.table,
        "record_id": change.record_id,
        "operation": change.operation,
        "requester": _person(change.requester_id, hold, people),
        "on_behalf_by": None if delegate is None else _person(delegate, hold, people),
        "address": {"before": change.before.get(address), "after": change.after.get(address)},
        "approval": {"before": change.before.get(APPROVAL), "after": change.after.get(APPROVAL)},
        "altered": list(differing(change.table, change.before, change.after)),
        "rules": list(hold.rules),
        "decision_id": hold.decision_id,
        "asked": hold.asked,
        "opened_at": iso(hold.opened_at),
        "asked_at": iso(hold.asked_at),
        "ends_at": iso(hold.ends_at),
        "answered_at": _moment(hold.answered_at),
        "answered_by": hold.answered_by,
        "reason": hold.reason,
        "release_decision_id": hold.release_decision_id,
        "usable_until": _moment(hold.usable_until),
        "settled_at": _moment(hold.settled_at),
        "settled_by": hold.settled_by,
        "settled_reason": hold.settled_reason,
    }


def _person(user_id: str, hold: Hold, people: Mapping[str, KnownUser]) -> dict[str, Any]:
    known = people.get(user_id, NOBODY)
    object_id = hold.identities.get(user_id)
    return {"id": user_id, "name": known.name, "upn": known.upn, "object_id": object_id}


def _evidence(connection: Connection, hold: Hold) -> dict[str, Any]:
    """Return what the change was judged on, as the decision that held it records it."""
    try:
        decision = get_decision(connection, hold.decision_id)
    except (DecisionUnknown, DecisionUnreadable):
        return {"findings": [], "facts": [], "evidence": {}, "masked": True}
    private = decision["private"] or {}
    return {
        "findings": decision.get("findings", []),
        "facts": decision.get("facts", []),
        "evidence": private.get("evidence", {}),
        "masked": decision["masked"],
    }


def _told(columns: Mapping[str, Value], names: Collection[str]) -> dict[str, Any]:
    told = {name: columns.get(name) for name in names}
    return {n: iso(v) if isinstance(v, datetime) else v for n, v in told.items()}


def _terms(rule: str, terms: ReleaseTerms) -> dict[str, Any]:
    return {
        "rule": rule,
        "approvers": list(terms.approvers),
        "entra_roles": list(terms.entra_roles),
        "anybody": not terms.names_somebody,
    }


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else iso(moment)
