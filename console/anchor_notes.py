"""Anchors as notes in Dataverse: a place that whoever owns the guard's database does not own.

A note is a row of the table `annotation` that regards nothing. Its id is made of the anchor, so
that one anchor is one note however often it is tried. A minute's anchors would be many rows, so one
is made as seldom as the setting says. Whoever administers Dataverse can delete notes; what was
deleted is missing, and what is left still proves what it states.
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Final

from cloud.dataverse import Dataverse
from cloud.odata import literal
from guard.ledger.anchor import Anchor, believed
from kernel.clock import Clock
from kernel.errors import InputRefused
from kernel.failpoints import failpoint

NOTED: Final = failpoint("anchor.note", "An anchor is written into Dataverse as a note.")
SUBJECT: Final = "Mailbox Guard anchor"
_ROWS: Final = "annotations"
_NAMESPACE: Final = uuid.UUID("6f0a9c52-7d41-5b0e-9a57-3c1f2f8f6c11")


class AnchorNotes:
    """The place of anchors in Dataverse; `every_seconds` is how seldom one is put there."""

    def __init__(self, dataverse: Dataverse, clock: Clock, *, every_seconds: float) -> None:
        self._dataverse = dataverse
        self._clock = clock
        self._every = timedelta(seconds=every_seconds)
        self._next_at: datetime | None = None

    async def append(self, line: str) -> None:
        """Make a note of an anchor if it is time for one. Raises a GuardError when it can't be."""
        now = self._clock.now()
        if self._next_at is not None and now < self._next_at:
            return
        await self._dataverse.create_if_absent(
            _ROWS,
            str(uuid.uuid5(_NAMESPACE, line)),
            {"subject": SUBJECT, "notetext": line},
            failpoint=NOTED,
            reason="keep an anchor",
        )
        self._next_at = now + self._every

    async def read(self) -> list[Anchor]:
        """Return every anchor that is there, oldest first.

        Raises InputRefused where there is none, or one that can't be believed.
        """
        rows = await self._dataverse.rows(
            _ROWS,
            select=("annotationid", "notetext"),
            filter=f"subject eq {literal(SUBJECT)}",
            reason="read anchors",
        )
        if not rows:
            raise InputRefused(
                "Dataverse holds no note of an anchor.",
                hint="`serve` makes them where MAILBOX_GUARD_ANCHOR_DATAVERSE_SECONDS is set.",
            )
        found = [
            believed(str(row.get("notetext") or ""), f"The note {row.get('annotationid')}")
            for row in rows
        ]
        return sorted(found, key=lambda one: one.made_at)
