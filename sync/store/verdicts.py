"""Verdicts: why an item was tracked, or was not."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, select

from kernel.database import insert
from sync.model.verdict import Fate, Verdict
from sync.store.tables import verdicts


def save(
    connection: Connection,
    found: Sequence[tuple[str, Verdict]],
    *,
    object_id: str,
    workload: str,
    now: datetime,
) -> None:
    """Write the newest verdict of each item; an unchanged one keeps its time."""
    if not found:
        return
    values = [
        {
            "object_id": object_id,
            "item_id": item_id,
            "workload": workload,
            "fate": verdict.fate,
            "reason": verdict.reason,
            "rule": verdict.rule,
            "decided_at": now,
        }
        for item_id, verdict in found
    ]
    statement = insert(connection, verdicts)
    changed = statement.excluded
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["object_id", "item_id"],
            set_={name: changed[name] for name in ("fate", "reason", "rule", "decided_at")},
            where=(verdicts.c.fate != changed.fate) | (verdicts.c.reason != changed.reason),
        ),
        values,
    )


def find(connection: Connection, object_id: str, item_id: str) -> Verdict | None:
    """Return the newest verdict of an item."""
    row = connection.execute(
        select(verdicts).where(verdicts.c.object_id == object_id, verdicts.c.item_id == item_id)
    ).first()
    return None if row is None else Verdict(Fate(row.fate), row.reason, row.rule)
