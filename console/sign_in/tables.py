"""What the console remembers: who is signed in, and who is on the way to Entra and back."""

from __future__ import annotations

from sqlalchemy import Column, Table, Text

from kernel.failpoints import failpoint
from kernel.tables import Instant, Json, metadata

SESSION = failpoint("console.session", "A session at the console begins, goes on or ends.")

# The id of a session is the browser's alone; who reads the database can act as
# nobody, and without the seal who writes to it can't either.
sessions = Table(
    "console_sessions",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("person", Text, nullable=False, index=True),
    Column("principal", Json, nullable=False),
    Column("began_at", Instant, nullable=False),
    Column("seen_at", Instant, nullable=False, index=True),
    Column("seal", Text, nullable=False),
)

# What is sealed can be opened with what the browser keeps.
sign_ins = Table(
    "console_sign_ins",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("until", Instant, nullable=False, index=True),
    Column("sealed", Text, nullable=False),
)
