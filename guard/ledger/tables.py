"""The guard's tables.

A decision is one row: what it is found by, the rest of its public part, its private part with a
salt (both emptied by masking), the commitment to the private part, and its place in the chain of
the process that wrote it. Nothing stands there twice: a commit costs by how few rows fit a page.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    type_coerce,
)

from guard.ledger.parked import HoldState
from kernel.tables import BigKey, Instant, Json, Word, metadata

decisions = Table(
    "guard_decisions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("chain", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("digest", Text, nullable=False),
    Column("decided_at", Instant, nullable=False),
    Column("decision", Text, nullable=False),
    Column("cause", Text, nullable=False),
    Column("table_name", Text, nullable=False),
    Column("record_id", Text, nullable=False),
    Column("status", Integer, nullable=False),
    Column("delivery_key", Text),
    Column("public", Text, nullable=False),
    Column("commitment", Text, nullable=False),
    Column("private", Text),
    Column("salt", Text),
    UniqueConstraint("chain", "seq"),
    # One index finds a row's decisions and a delivery's repeat: each random index costs a commit
    # another page per decision.
    UniqueConstraint("record_id", "delivery_key"),
)

# When a decision was made, as it is stored: an altered time may be no moment at all.
DECIDED_AT = type_coerce(decisions.c.decided_at, BigInteger).label("decided_at")

chains = Table(
    "guard_chains",
    metadata,
    Column("id", Text, primary_key=True),
    Column("count", BigInteger, nullable=False),
    Column("head", Text, nullable=False),
    Column("last_id", Text, nullable=False),
    # The newest checkpoint that the chain's process wrote; 0 before the first.
    Column("checkpoint", BigInteger, nullable=False),
    Column("checkpoint_digest", Text, nullable=False),
)

# How far the beginning of a chain was given up: to which place, as a checkpoint and an act say, and
# how far its rows are gone by now.
cuts = Table(
    "guard_cuts",
    metadata,
    Column("chain", Text, primary_key=True),
    Column("count", BigInteger, nullable=False),
    Column("head", Text, nullable=False),
    Column("last_id", Text, nullable=False),
    Column("checkpoint", BigInteger, nullable=False),
    Column("gone", BigInteger, nullable=False),
    Column("gone_head", Text, nullable=False),
)

checkpoints = Table(
    "guard_checkpoints",
    metadata,
    Column("number", BigKey, primary_key=True, autoincrement=False),
    Column("made_at", Instant, nullable=False),
    Column("heads", Text, nullable=False),
    Column("digest", Text, nullable=False),
)

policy_sets = Table(
    "guard_policy_sets",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("documents", Text, nullable=False),
    Column("stored_at", Instant, nullable=False),
)

mirror = Table(
    "guard_mirror",
    metadata,
    Column("table_name", Text, primary_key=True),
    Column("record_id", Text, primary_key=True),
    Column("columns", Text, nullable=False),
    Column("good", Text, nullable=False),
    Column("owner_id", Text),
    # Folded, so that it is found whatever the case.
    Column("address", Text),
    Column("read_at", Instant, nullable=False),
    Column("decision_id", Text),
    Column("rested", Boolean, nullable=False),
    Column("name", Text),
    Column("revision", Integer, nullable=False),
    Index("ix_guard_mirror_owner", "owner_id"),
    Index("ix_guard_mirror_address", "address"),
)

# What the guard itself is about to write into Dataverse, so that it knows its own writes again.
writes = Table(
    "guard_writes",
    metadata,
    Column("nonce", Text, primary_key=True),
    Column("record_ids", Text, nullable=False),
    Column("columns", Text, nullable=False),
    Column("issued_at", Instant, nullable=False),
)

# When a write of the guard's own was last announced that may show on a row; never forgotten.
written = Table(
    "guard_written",
    metadata,
    Column("record_id", Text, primary_key=True),
    Column("announced_at", Instant, nullable=False),
)

# Since when every row of a table has been known to the mirror.
baselines = Table(
    "guard_baselines",
    metadata,
    Column("table_name", Text, primary_key=True),
    Column("taken_at", Instant, nullable=False),
    Column("rows", Integer, nullable=False),
)

# How often each rule had something to say, by day: kept with the decisions, proves nothing. A row
# without a rule says since when is counted.
firings = Table(
    "guard_firings",
    metadata,
    Column("chain", Text, primary_key=True),
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("rule", Text, primary_key=True),
    Column("effect", Text, primary_key=True),
    Column("count", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# What rules hold, parked until an approver decides. `open_key` is there while it waits, so that the
# same change is parked once.
holds = Table(
    "guard_holds",
    metadata,
    Column("id", Text, primary_key=True),
    Column("state", Word(HoldState), nullable=False),
    Column("open_key", Text),
    Column("table_name", Text, nullable=False),
    Column("record_id", Text, nullable=False),
    Column("operation", Text, nullable=False),
    Column("requester_id", Text, nullable=False),
    Column("on_behalf_by", Text),
    Column("identities", Json, nullable=False),
    Column("change", Text, nullable=False),
    Column("rules", Json, nullable=False),
    Column("decision_id", Text, nullable=False),
    Column("asked", Integer, nullable=False),
    Column("opened_at", Instant, nullable=False),
    Column("asked_at", Instant, nullable=False),
    Column("ends_at", Instant, nullable=False),
    Column("answered_at", Instant),
    Column("answered_by", Text),
    Column("answered_object_id", Text),
    Column("reason", Text),
    Column("release_decision_id", Text),
    Column("usable_until", Instant),
    Column("settled_at", Instant),
    Column("settled_by", Text),
    Column("settled_record_id", Text),
    Column("settled_reason", Text),
    UniqueConstraint("open_key"),
    Index("ix_guard_holds_record", "record_id"),
    Index("ix_guard_holds_requester", "requester_id", "state"),
    Index("ix_guard_holds_state", "state", "id"),
)
