"""Every table of the first version."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables and write the schema's number down."""
    op.create_table(
        "guard_baselines",
        sa.Column("table_name", sa.Text(), nullable=False),
        sa.Column("taken_at", sa.BigInteger(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("table_name", name=op.f("pk_guard_baselines")),
    )
    op.create_table(
        "guard_chains",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("head", sa.Text(), nullable=False),
        sa.Column("last_id", sa.Text(), nullable=False),
        sa.Column("checkpoint", sa.BigInteger(), nullable=False),
        sa.Column("checkpoint_digest", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_guard_chains")),
    )
    op.create_table(
        "guard_checkpoints",
        sa.Column(
            "number",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("heads", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_guard_checkpoints")),
    )
    op.create_table(
        "guard_decisions",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("chain", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("decided_at", sa.BigInteger(), nullable=False),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("table_name", sa.Text(), nullable=False),
        sa.Column("record_id", sa.Text(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("delivery_key", sa.Text(), nullable=True),
        sa.Column("public", sa.Text(), nullable=False),
        sa.Column("commitment", sa.Text(), nullable=False),
        sa.Column("private", sa.Text(), nullable=True),
        sa.Column("salt", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_guard_decisions")),
        sa.UniqueConstraint("chain", "seq", name=op.f("uq_guard_decisions_chain_seq")),
        sa.UniqueConstraint(
            "record_id", "delivery_key", name=op.f("uq_guard_decisions_record_id_delivery_key")
        ),
    )
    op.create_table(
        "guard_mirror",
        sa.Column("table_name", sa.Text(), nullable=False),
        sa.Column("record_id", sa.Text(), nullable=False),
        sa.Column("columns", sa.Text(), nullable=False),
        sa.Column("good", sa.Text(), nullable=False),
        sa.Column("owner_id", sa.Text(), nullable=True),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("read_at", sa.BigInteger(), nullable=False),
        sa.Column("decision_id", sa.Text(), nullable=True),
        sa.Column("rested", sa.Boolean(), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("table_name", "record_id", name=op.f("pk_guard_mirror")),
    )
    op.create_index("ix_guard_mirror_address", "guard_mirror", ["address"], unique=False)
    op.create_index("ix_guard_mirror_owner", "guard_mirror", ["owner_id"], unique=False)
    op.create_table(
        "guard_policy_sets",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("documents", sa.Text(), nullable=False),
        sa.Column("stored_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_guard_policy_sets")),
    )
    op.create_table(
        "guard_writes",
        sa.Column("nonce", sa.Text(), nullable=False),
        sa.Column("record_ids", sa.Text(), nullable=False),
        sa.Column("columns", sa.Text(), nullable=False),
        sa.Column("issued_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("nonce", name=op.f("pk_guard_writes")),
    )
    op.create_table(
        "guard_written",
        sa.Column("record_id", sa.Text(), nullable=False),
        sa.Column("announced_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("record_id", name=op.f("pk_guard_written")),
    )
    op.create_table(
        "kernel_acts",
        sa.Column(
            "number",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("commitment", sa.Text(), nullable=False),
        sa.Column("private", sa.Text(), nullable=True),
        sa.Column("salt", sa.Text(), nullable=True),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_kernel_acts")),
    )
    op.create_index("ix_kernel_acts_subject", "kernel_acts", ["subject", "number"], unique=False)
    op.create_table(
        "kernel_acts_end",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_kernel_acts_end")),
    )
    op.create_table(
        "kernel_approvals",
        sa.Column("record_id", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("object_id", sa.Text(), nullable=False),
        sa.Column("owner_id", sa.Text(), nullable=False),
        sa.Column("owner_type", sa.Text(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=True),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("withdrawn_by", sa.Text(), nullable=True),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.Column("looked_up_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("record_id", name=op.f("pk_kernel_approvals")),
    )
    op.create_table(
        "kernel_organization",
        sa.Column("id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_kernel_organization")),
    )
    op.create_table(
        "kernel_schema",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_kernel_schema")),
    )
    op.create_table(
        "kernel_pulse",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("filler", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_kernel_pulse")),
    )
    op.create_table(
        "kernel_shards",
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("leased_until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("shard", name=op.f("pk_kernel_shards")),
    )
    op.create_table(
        "kernel_stops",
        sa.Column("brake", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("record_id", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("released_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint(
            "brake", "scope", "subject", "record_id", name=op.f("pk_kernel_stops")
        ),
    )
    op.create_index("ix_kernel_stops_record", "kernel_stops", ["record_id"], unique=False)
    op.create_table(
        "kernel_tasks",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("epoch", sa.Integer(), nullable=True),
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("lane", sa.Text(), nullable=False),
        sa.Column("not_before", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=True),
        sa.Column("result", sa.Text(), nullable=True),
        sa.Column("error_code", sa.Text(), nullable=True),
        sa.Column("hint", sa.Text(), nullable=True),
        sa.Column("trying_since", sa.BigInteger(), nullable=True),
        sa.Column("released_at", sa.BigInteger(), nullable=True),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("claimed_until", sa.BigInteger(), nullable=True),
        sa.Column("added_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_kernel_tasks")),
        sa.UniqueConstraint("kind", "key", name=op.f("uq_kernel_tasks_kind_key")),
    )
    op.create_index(
        "ix_kernel_tasks_due", "kernel_tasks", ["state", "lane", "not_before"], unique=False
    )
    op.create_index("ix_kernel_tasks_owner", "kernel_tasks", ["owner"], unique=False)
    op.create_table(
        "sync_access",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("record_id", sa.Text(), nullable=False),
        sa.Column("object_id", sa.Text(), nullable=False),
        sa.Column("workload", sa.Text(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("item_count", sa.Integer(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sync_access")),
    )
    op.create_index(op.f("ix_sync_access_record_id"), "sync_access", ["record_id"], unique=False)
    op.create_table(
        "sync_links",
        sa.Column("object_id", sa.Text(), nullable=False),
        sa.Column("item_id", sa.Text(), nullable=False),
        sa.Column("workload", sa.Text(), nullable=False),
        sa.Column("folder", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("shared_id", sa.Text(), nullable=True),
        sa.Column("row_id", sa.Text(), nullable=True),
        sa.Column("is_metadata_only", sa.Boolean(), nullable=False),
        sa.Column("has_weak_key", sa.Boolean(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("object_id", "item_id", name=op.f("pk_sync_links")),
    )
    op.create_index(
        "ix_sync_links_object_id_state", "sync_links", ["object_id", "state"], unique=False
    )
    op.create_index("ix_sync_links_row_id", "sync_links", ["row_id"], unique=False)
    op.create_table(
        "sync_mailboxes",
        sa.Column("record_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("is_paused", sa.Boolean(), nullable=False),
        sa.Column("next_at", sa.BigInteger(), nullable=True),
        sa.Column("empty_answers", sa.Integer(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("record_id", name=op.f("pk_sync_mailboxes")),
    )
    op.create_table(
        "sync_passes",
        sa.Column("pass_id", sa.Text(), nullable=False),
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("requested_at", sa.BigInteger(), nullable=False),
        sa.Column("answered_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("pass_id", "shard", name=op.f("pk_sync_passes")),
    )
    op.create_index("ix_sync_passes_state", "sync_passes", ["state"], unique=False)
    op.create_table(
        "sync_payloads",
        sa.Column("object_id", sa.Text(), nullable=False),
        sa.Column("item_id", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("stored_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("object_id", "item_id", name=op.f("pk_sync_payloads")),
    )
    op.create_index(
        op.f("ix_sync_payloads_stored_at"), "sync_payloads", ["stored_at"], unique=False
    )
    op.create_table(
        "sync_quarantine",
        sa.Column("object_id", sa.Text(), nullable=False),
        sa.Column("item_id", sa.Text(), nullable=False),
        sa.Column("workload", sa.Text(), nullable=False),
        sa.Column("record_id", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("first_at", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("is_named", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("object_id", "item_id", name=op.f("pk_sync_quarantine")),
    )
    op.create_index(
        op.f("ix_sync_quarantine_record_id"), "sync_quarantine", ["record_id"], unique=False
    )
    op.create_table(
        "sync_streams",
        sa.Column("stream_id", sa.Text(), nullable=False),
        sa.Column("record_id", sa.Text(), nullable=False),
        sa.Column("object_id", sa.Text(), nullable=False),
        sa.Column("workload", sa.Text(), nullable=False),
        sa.Column("folder", sa.Text(), nullable=False),
        sa.Column("folder_id", sa.Text(), nullable=True),
        sa.Column("cursor", sa.Text(), nullable=True),
        sa.Column("page_cursor", sa.Text(), nullable=True),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("is_full", sa.Boolean(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("brake", sa.Text(), nullable=True),
        sa.Column("brake_count", sa.Integer(), nullable=True),
        sa.Column("brake_total", sa.Integer(), nullable=True),
        sa.Column("cursor_at", sa.BigInteger(), nullable=True),
        sa.Column("fresh_as_of", sa.BigInteger(), nullable=True),
        sa.Column("link_failures", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("stream_id", name=op.f("pk_sync_streams")),
    )
    op.create_index(op.f("ix_sync_streams_record_id"), "sync_streams", ["record_id"], unique=False)
    op.create_table(
        "sync_verdicts",
        sa.Column("object_id", sa.Text(), nullable=False),
        sa.Column("item_id", sa.Text(), nullable=False),
        sa.Column("workload", sa.Text(), nullable=False),
        sa.Column("fate", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=True),
        sa.Column("decided_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("object_id", "item_id", name=op.f("pk_sync_verdicts")),
    )
    op.execute("INSERT INTO kernel_schema (number) VALUES (1)")
