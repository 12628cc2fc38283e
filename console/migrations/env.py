"""Alembic runs the migrations on the connection it is given; there is no other way in."""

from __future__ import annotations

from alembic import context

from kernel.tables import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    transaction_per_migration=False,
    render_as_batch=connection.dialect.name == "sqlite",
)
with context.begin_transaction():
    context.run_migrations()
