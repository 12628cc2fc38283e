"""A row of the ledger read back as the decision that was recorded."""

from __future__ import annotations

import json
from typing import Any, Final

from guard.ledger.entry import Recorded
from guard.ledger.tables import DECIDED_AT, decisions
from kernel.tables import moment_of

PUBLIC: Final = (
    decisions.c.id,
    DECIDED_AT,
    decisions.c.decision,
    decisions.c.cause,
    decisions.c.table_name,
    decisions.c.record_id,
    decisions.c.status,
    decisions.c.public,
)
WHOLE: Final = (*PUBLIC, decisions.c.private)
UNREADABLE: Final = (TypeError, ValueError, OverflowError)


def recorded_from(row: Any, *, is_repeat: bool = False) -> Recorded:
    """Return what a row of the columns WHOLE says, or without its private part one of PUBLIC.

    Raises one of UNREADABLE for a row that was altered beyond reading.
    """
    public = json.loads(row.public)
    private = getattr(row, "private", None)
    if not isinstance(public, dict):
        raise TypeError("the public part is no object")
    return Recorded(
        row.id,
        moment_of(row.decided_at),
        row.decision,
        row.cause,
        row.table_name,
        row.record_id,
        row.status,
        public,
        None if private is None else json.loads(private),
        is_repeat=is_repeat,
    )
