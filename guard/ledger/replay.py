"""Recorded decisions read back to be decided again: one by its id, or all in batches."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from guard.errors import DecisionMasked, DecisionUnknown
from guard.ledger.tables import DECIDED_AT, decisions, policy_sets
from kernel.tables import microseconds
from rules.engine.policy_set import PolicySet
from rules.load.loader import load_documents
from rules.replay.recorded import Obstacle, PastDecision, Row, Unreplayable, confirmed_by, past_from

BATCH = 500
# What `rules.recorded.Row` is made of.
_READ = (
    decisions.c.id,
    DECIDED_AT,
    decisions.c.decision,
    decisions.c.table_name,
    decisions.c.record_id,
    decisions.c.public,
    decisions.c.private,
)
_NAMES = ", ".join(column.name for column in _READ)


@dataclass(frozen=True, slots=True)
class RecordedBatch:
    """Decisions as they were written, and the place in the ledger after which the next stand."""

    rows: Sequence[Row]
    place: str


def find_past(connection: Connection, decision_id: str) -> PastDecision:
    """Return one decision with what it was made on; of a confirmation, the decision confirmed.

    Raises DecisionUnknown, or DecisionMasked when it can't be decided again.
    """
    row = connection.execute(select(*_READ).where(decisions.c.id == decision_id.lower())).first()
    if row is None:
        raise DecisionUnknown(
            f"No decision has the id {decision_id}.",
            hint="`mailbox-guard decisions list` shows the ids.",
        )
    confirmed = confirmed_by(row.public)
    if confirmed is not None and confirmed != decision_id.lower():
        return find_past(connection, confirmed)
    try:
        return past_from(tuple(row))
    except Unreplayable as error:
        hint = "What was masked is gone; `decisions verify` still proves the record unaltered."
        raise DecisionMasked(
            f"The decision {decision_id} can't be decided again: {error}.",
            hint=hint
            if error.obstacle is Obstacle.MASKED
            else "`decisions show` tells what is recorded.",
        ) from None


def find_set(connection: Connection, digest: str | None) -> PolicySet | None:
    """Return the policy set that was stored under a digest; None when there is none."""
    text = connection.scalar(
        select(policy_sets.c.documents).where(policy_sets.c.digest == (digest or ""))
    )
    if text is None:
        return None
    stored: dict[str, Any] = json.loads(text)
    return load_documents(stored["documents"], environment=stored["environment"])


def count_decisions(
    connection: Connection, *, since: datetime | None = None, until: datetime | None = None
) -> int:
    """Return how many decisions there are since then, and before `until`."""
    statement = select(func.count()).select_from(decisions)
    if since is not None:
        statement = statement.where(decisions.c.decided_at >= since)
    if until is not None:
        statement = statement.where(decisions.c.decided_at < until)
    return int(connection.scalar(statement) or 0)


def batches(
    connection: Connection,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    after: str = "",
    size: int = BATCH,
) -> Iterator[RecordedBatch]:
    """Yield every decision behind a place, in the order in which they were written.

    Plain driver statements: a replay reads as fast as the database gives.
    """
    is_sqlite = connection.dialect.name == "sqlite"
    place_of, mark = ("rowid", "?") if is_sqlite else ("id", "%s")
    bounds = [(">=", since), ("<", until)]
    moments = [microseconds(one) for _, one in bounds if one is not None]
    # On SQLite rows stand in the order of their numbers, so that no index is looked up.
    statement = (
        f"SELECT {_NAMES}, {place_of} FROM guard_decisions WHERE {place_of} > {mark}"
        + "".join(f" AND decided_at {sign} {mark}" for sign, one in bounds if one is not None)
        + f" ORDER BY {place_of} LIMIT {mark}"
    )
    place = after
    while True:
        start = int(place or 0) if is_sqlite else place
        rows = connection.exec_driver_sql(statement, (start, *moments, size)).cursor.fetchall()
        if not rows:
            return
        place = str(rows[-1][-1])
        yield RecordedBatch([row[:-1] for row in rows], place)
