"""Which organisation a database belongs to: what is kept in it is true of that one alone."""

from __future__ import annotations

from sqlalchemy import Column, Connection, Table, Text, delete, insert, select

from kernel.failpoints import failpoint
from kernel.tables import metadata

REMEMBERED = failpoint(
    "organization.remembered", "The organisation of this database is written down."
)

organization = Table("kernel_organization", metadata, Column("id", Text, primary_key=True))


def find(connection: Connection) -> str | None:
    """Return the organisation's id, None before one was ever reached."""
    return connection.scalar(select(organization.c.id))


def remember(connection: Connection, organization_id: str) -> None:
    """Let the database belong to this organisation."""
    connection.execute(delete(organization))
    connection.execute(insert(organization).values(id=organization_id))
