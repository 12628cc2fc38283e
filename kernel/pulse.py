"""The pulse: one small row that is written over, to learn whether anything can be written now.

A full disk may still take a few bytes into the room that a log has left, so the row is about as
large as a decision with its policy findings.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Column, Connection, Integer, Table, Text

from kernel.database import insert
from kernel.failpoints import failpoint
from kernel.tables import Instant, metadata

PULSE = failpoint("kernel.pulse", "Whoever asks whether a process is ready has it try a write.")
_FILLER = "." * 32_768

pulse = Table(
    "kernel_pulse",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("at", Instant, nullable=False),
    Column("filler", Text, nullable=False),
)


def beat(connection: Connection, *, now: datetime) -> None:
    """Write the row."""
    values = {"at": now, "filler": _FILLER}
    statement = insert(connection, pulse).values(id=1, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=values))
