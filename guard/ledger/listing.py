"""Decisions as people and programs list them: the shapes of docs/contract.md."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, select

from guard.errors import DecisionUnknown, DecisionUnreadable
from guard.ledger.entry import Recorded, iso
from guard.ledger.reading import PUBLIC, UNREADABLE, WHOLE, recorded_from
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
    "policy_set",
)


def list_decisions(
    connection: Connection,
    *,
    since: datetime | None = None,
    decision: str | None = None,
    table: str | None = None,
    record: str | None = None,
    rule: str | None = None,
    limit: int | None = 100,
) -> list[dict[str, Any]]:
    """Return decisions, newest first, as docs/contract.md words them."""
    statement = select(*PUBLIC).order_by(decisions.c.id.desc())
    if since is not None:
        statement = statement.where(decisions.c.decided_at >= since)
    if decision is not None:
        statement = statement.where(decisions.c.decision == decision)
    if table is not None:
        statement = statement.where(decisions.c.table_name == table)
    if record is not None:
        statement = statement.where(decisions.c.record_id == record.strip("{}").lower())
    found: list[dict[str, Any]] = []
    for row in _rows(connection, statement):
        if limit is not None and len(found) >= limit:
            break
        try:
            stated = recorded_from(row)
        except UNREADABLE:
            # Altered beyond reading, it is shown as such and hides no other.
            if rule is None:
                found.append(_unreadable(row.id))
            continue
        if rule is None or _has_rule(stated.public, rule):
            found.append(_listed(connection, stated))
    return found


def get_decision(connection: Connection, decision_id: str) -> dict[str, Any]:
    """Return one decision whole; its private part is None when it was masked.

    Raises DecisionUnknown, DecisionUnreadable.
    """
    row = connection.execute(
        select(*WHOLE, decisions.c.chain, decisions.c.seq).where(
            decisions.c.id == decision_id.lower()
        )
    ).first()
    if row is None:
        raise DecisionUnknown(
            f"No decision has the id {decision_id}.",
            hint="`mailbox-guard decisions list` shows the ids.",
        )
    try:
        stated = recorded_from(row)
    except UNREADABLE:
        raise DecisionUnreadable(
            f"The record of decision {decision_id} was altered and can no longer be read.",
            hint="`mailbox-guard decisions verify` walks the whole ledger.",
        ) from None
    shown = {**stated.public, **_listed(connection, stated)}
    shown["status"] = stated.status
    shown["chain"] = {"id": row.chain, "place": row.seq}
    shown["masked"] = stated.private is None
    shown["private"] = None
    if stated.private is not None:
        shown["private"] = with_after(stated.private)
        shown["findings"] = stated.private.get("findings", [])
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


def _has_rule(public: Any, rule: str) -> bool:
    return any(rule in (one, one.split("/", 1)[0]) for one in public.get("rules", ()))


def _listed(connection: Connection, stated: Recorded) -> dict[str, Any]:
    public = stated.public
    return {
        "id": stated.id,
        "decided_at": iso(stated.decided_at),
        "decision": stated.decision,
        "cause": stated.cause,
        "table": stated.table,
        "record_id": stated.record_id,
        **{name: public.get(name) for name in LISTED},
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
