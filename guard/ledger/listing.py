"""Decisions as people and programs list them: the shapes of docs/contract.md."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Select, select

from guard.errors import DecisionUnknown, DecisionUnreadable
from guard.ledger.entry import Recorded, recorded_from
from guard.ledger.tables import decisions
from kernel import work

ROWS_AT_ONCE = 500
UNREADABLE = "unreadable"
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
LISTED = (
    "operation",
    "mode",
    "stage",
    "correlation_id",
    "initiating_user_id",
    "rules",
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
    statement = select(decisions.c.id, decisions.c.public).order_by(decisions.c.id.desc())
    if since is not None:
        statement = statement.where(decisions.c.decided_at >= since)
    if decision is not None:
        statement = statement.where(decisions.c.decision == decision)
    if table is not None:
        statement = statement.where(decisions.c.table_name == table)
    if record is not None:
        statement = statement.where(decisions.c.record_id == record.strip("{}").lower())
    found: list[dict[str, Any]] = []
    for stated in _stated(connection, statement):
        if rule is not None and not _has_rule(stated.public, rule):
            continue
        if limit is not None and len(found) >= limit:
            break
        found.append(_listed(connection, stated))
    return found


def get_decision(connection: Connection, decision_id: str) -> dict[str, Any]:
    """Return one decision whole; its private part is None when it was masked.

    Raises DecisionUnknown, DecisionUnreadable.
    """
    row = connection.execute(
        select(decisions.c.public, decisions.c.private, decisions.c.chain, decisions.c.seq).where(
            decisions.c.id == decision_id.lower()
        )
    ).first()
    if row is None:
        raise DecisionUnknown(
            f"No decision has the id {decision_id}.",
            hint="`mailbox-guard decisions list` shows the ids.",
        )
    try:
        stated = recorded_from(row.public, row.private)
    except (ValueError, KeyError, TypeError):
        raise DecisionUnreadable(
            f"The record of decision {decision_id} was altered and can no longer be read.",
            hint="`mailbox-guard decisions verify` walks the whole ledger.",
        ) from None
    shown = {**stated.public, **_listed(connection, stated)}
    shown.pop("key", None)
    shown["chain"] = {"id": row.chain, "place": row.seq}
    shown["masked"] = stated.private is None
    shown["private"] = stated.private
    if stated.private is not None:
        shown["findings"] = stated.private.get("findings", [])
    return shown


def _stated(connection: Connection, statement: Select[Any]) -> Iterator[Recorded]:
    last: str | None = None
    while True:
        page = statement if last is None else statement.where(decisions.c.id < last)
        rows = connection.execute(page.limit(ROWS_AT_ONCE)).all()
        for row in rows:
            last = row.id
            yield _readable(row.id, row.public)
        if len(rows) < ROWS_AT_ONCE:
            return


def _readable(decision_id: str, public: str) -> Recorded:
    """Return what a record states; one that was altered beyond reading is shown as such."""
    try:
        return recorded_from(public, None)
    except (ValueError, KeyError, TypeError):
        return Recorded(
            id=decision_id,
            decided_at=LONG_AGO,
            decision=UNREADABLE,
            cause=UNREADABLE,
            status=0,
            public={"decided_at": None, "table": None, "record_id": None},
            private=None,
        )


def _has_rule(public: Any, rule: str) -> bool:
    return any(rule in (one, one.split("/", 1)[0]) for one in public.get("rules", ()))


def _listed(connection: Connection, stated: Recorded) -> dict[str, Any]:
    public = stated.public
    return {
        "id": stated.id,
        "decided_at": public["decided_at"],
        "decision": stated.decision,
        "cause": stated.cause,
        "table": public["table"],
        "record_id": public["record_id"],
        **{name: public.get(name) for name in LISTED},
        "obligations": _obligations(connection, stated) if public.get("obliged") else [],
    }


def _obligations(connection: Connection, stated: Recorded) -> list[dict[str, Any]]:
    return [
        {"kind": task.kind, "state": task.state, "result": task.result}
        for task in work.list_for(connection, stated.id)
    ]
