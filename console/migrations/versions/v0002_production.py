"""What the guard in production keeps, beside the tables of the first version."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from kernel.clock import SystemClock
from kernel.tables import microseconds

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables and write the schema's number down."""
    op.create_table(
        "guard_firings",
        sa.Column("chain", sa.Text(), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("effect", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("chain", "day", "rule", "effect", name=op.f("pk_guard_firings")),
        sqlite_with_rowid=False,
    )
    # Since this day is counted: what was decided before is in the ledger alone.
    op.execute(
        "INSERT INTO guard_firings (chain, day, rule, effect, count) "
        f"VALUES ('', {microseconds(SystemClock().now()) // 86_400_000_000}, '', '', 0)"
    )
    op.execute("UPDATE kernel_schema SET number = 2")
