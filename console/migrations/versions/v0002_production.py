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
    _create_holds()
    op.create_table(
        "kernel_duties",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("held_until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_kernel_duties")),
    )
    op.execute("UPDATE kernel_schema SET number = 2")
    _create_console_tables()
    _create_registration_table()


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
    for name, column in (("person", "person_id"), ("budget", "budget")):
        op.create_index(
            op.f(f"ix_guard_notices_{name}"), "guard_notices", ["channel", column, "state", "at"]
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
        sa.Column("seal", sa.Text(), nullable=False),
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


def _create_holds() -> None:
    op.create_table(
        "guard_holds",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("open_key", sa.Text(), nullable=True),
        sa.Column("table_name", sa.Text(), nullable=False),
        sa.Column("record_id", sa.Text(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("requester_id", sa.Text(), nullable=False),
        sa.Column("on_behalf_by", sa.Text(), nullable=True),
        sa.Column("identities", sa.Text(), nullable=False),
        sa.Column("change", sa.Text(), nullable=False),
        sa.Column("rules", sa.Text(), nullable=False),
        sa.Column("decision_id", sa.Text(), nullable=False),
        sa.Column("asked", sa.Integer(), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.Column("answered_at", sa.BigInteger(), nullable=True),
        sa.Column("answered_by", sa.Text(), nullable=True),
        sa.Column("answered_object_id", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("release_decision_id", sa.Text(), nullable=True),
        sa.Column("usable_until", sa.BigInteger(), nullable=True),
        sa.Column("settled_at", sa.BigInteger(), nullable=True),
        sa.Column("settled_by", sa.Text(), nullable=True),
        sa.Column("settled_record_id", sa.Text(), nullable=True),
        sa.Column("settled_reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_guard_holds")),
        sa.UniqueConstraint("open_key", name=op.f("uq_guard_holds_open_key")),
    )
    op.create_index("ix_guard_holds_record", "guard_holds", ["record_id"], unique=False)
    op.create_index(
        "ix_guard_holds_requester", "guard_holds", ["requester_id", "state"], unique=False
    )
    op.create_index("ix_guard_holds_state", "guard_holds", ["state", "id"], unique=False)


def _create_registration_table() -> None:
    op.create_table(
        "guard_registration",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("endpoint_id", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("choice", sa.Text(), nullable=False),
        sa.Column("key_digest", sa.Text()),
        sa.Column("wanted", sa.Text(), nullable=False),
        sa.Column("surroundings", sa.Text(), nullable=False),
        sa.Column("accepted", sa.Text(), nullable=False),
        sa.Column("named_by", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("is_finished", sa.Boolean(), nullable=False),
        sa.Column("deviations", sa.Text(), nullable=False),
        sa.Column("outdated", sa.Text(), nullable=False),
        sa.Column("pause", sa.Text()),
        sa.Column("suspected_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_guard_registration")),
    )
