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
    op.create_table(
        "guard_cuts",
        sa.Column("chain", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("head", sa.Text(), nullable=False),
        sa.Column("last_id", sa.Text(), nullable=False),
        sa.Column("checkpoint", sa.BigInteger(), nullable=False),
        sa.Column("gone", sa.BigInteger(), nullable=False),
        sa.Column("gone_head", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("chain", name=op.f("pk_guard_cuts")),
    )
    _create_notices()
    op.execute("UPDATE kernel_schema SET number = 2")
    _create_console_tables()


def _create_notices() -> None:
    op.create_table(
        "guard_notices",
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("decision_id", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("about", sa.Text(), nullable=False),
        sa.Column("edit", sa.Text()),
        sa.Column("budget", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("channel", "decision_id", name=op.f("pk_guard_notices")),
    )
    op.create_index(
        op.f("ix_guard_notices_person"), "guard_notices", ["channel", "person_id", "at"]
    )
    op.create_index(op.f("ix_guard_notices_at"), "guard_notices", ["at"])


def _create_console_tables() -> None:
    op.create_table(
        "console_sessions",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("principal", sa.Text(), nullable=False),
        sa.Column("began_at", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_console_sessions")),
    )
    for column in ("person", "seen_at"):
        op.create_index(op.f(f"ix_console_sessions_{column}"), "console_sessions", [column])
    op.create_table(
        "console_sign_ins",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_console_sign_ins")),
    )
    op.create_index(op.f("ix_console_sign_ins_until"), "console_sign_ins", ["until"])
