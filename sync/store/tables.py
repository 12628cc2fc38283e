"""The sync's own tables: streams, links, verdicts, quarantine, payloads, access, mailboxes, passes.

The tasks stand in kernel.tasks, the approvals in kernel.approvals, the shards in kernel.shards.
"""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
)

from kernel.tables import BigKey, Instant, Json, Word, metadata
from kernel.words import DocumentedWord


class SyncState(DocumentedWord):
    """How a mailbox stands with the sync."""

    WAITING = "waiting", "It is approved, and its first visit is still to come."
    SYNCED = "synced", "The last visit brought it up to date."
    PAUSED = "paused", "A person lets it rest."
    MICROSOFT_SYNC = "microsoft-sync", "Server-side synchronization owns its mail."
    WITHDRAWN = "withdrawn", "It is not approved, or no longer."
    THROTTLED = "throttled", "A service asked to wait."
    FAILING = (
        "failing",
        "The last visit, or the writing of a mail, went wrong; the reason says how.",
    )
    RESTING = (
        "resting",
        "It is approved, but not reached for now: what the approval rests on must be looked up "
        "again, or a brake has stopped something about it.",
    )
    LOOPING = "looping", "The source gave the same page again and again; a new round begins."
    BRAKE = "brake", "Too many at once: a person must look."


class PassState(DocumentedWord):
    """How far a request for a full pass has come."""

    REQUESTED = "requested", "The holder of the shard has not answered."
    ANSWERED = "answered", "It has."


# One delta chain. `cursor` is the last delta link, `page_cursor` the next page of a round under
# way. `round` rises with each full round; `epoch` is the approval's under which it last ran.
# `brake` is the name of the brake that is pulled, with the numbers that pulled it; `link_failures`
# is how many visits in a row ended at the stored link.
streams = Table(
    "sync_streams",
    metadata,
    Column("stream_id", Text, primary_key=True),
    Column("record_id", Text, nullable=False, index=True),
    Column("object_id", Text, nullable=False),
    Column("workload", Text, nullable=False),
    Column("folder", Text, nullable=False),
    Column("folder_id", Text),
    Column("cursor", Text),
    Column("page_cursor", Text),
    Column("round", Integer, nullable=False),
    Column("is_full", Boolean, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("brake", Text),
    Column("brake_count", Integer),
    Column("brake_total", Integer),
    Column("cursor_at", Instant),
    Column("fresh_as_of", Instant),
    Column("link_failures", Integer, nullable=False),
)

# One item and its row. An id is unique within a mailbox whatever the workload; immutable ids are
# case-sensitive, and so is Text on both databases. `folder` is the one that listed it last.
links = Table(
    "sync_links",
    metadata,
    Column("object_id", Text, nullable=False),
    Column("item_id", Text, nullable=False),
    Column("workload", Text, nullable=False),
    Column("folder", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("place", Text, nullable=False),
    Column("shared_id", Text),
    Column("row_id", Text),
    Column("is_metadata_only", Boolean, nullable=False),
    Column("has_weak_key", Boolean, nullable=False),
    Column("round", Integer, nullable=False),
    Column("changed_at", Instant, nullable=False),
    PrimaryKeyConstraint("object_id", "item_id"),
    Index("ix_sync_links_object_id_state", "object_id", "state"),
    Index("ix_sync_links_row_id", "row_id"),
)

verdicts = Table(
    "sync_verdicts",
    metadata,
    Column("object_id", Text, nullable=False),
    Column("item_id", Text, nullable=False),
    Column("workload", Text, nullable=False),
    Column("fate", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("rule", Text),
    Column("decided_at", Instant, nullable=False),
    PrimaryKeyConstraint("object_id", "item_id"),
)

# `is_named` tells that the item is named by its own id, so that it can be read again by itself.
quarantine = Table(
    "sync_quarantine",
    metadata,
    Column("object_id", Text, nullable=False),
    Column("item_id", Text, nullable=False),
    Column("workload", Text, nullable=False),
    Column("record_id", Text, nullable=False, index=True),
    Column("reason", Text, nullable=False),
    Column("first_at", Instant, nullable=False),
    Column("last_at", Instant, nullable=False),
    Column("times", Integer, nullable=False),
    Column("is_named", Boolean, nullable=False),
    PrimaryKeyConstraint("object_id", "item_id"),
)

# The items of a page until their rows are made: compressed JSON, gone with the outcome.
payloads = Table(
    "sync_payloads",
    metadata,
    Column("object_id", Text, nullable=False),
    Column("item_id", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("stored_at", Instant, nullable=False, index=True),
    PrimaryKeyConstraint("object_id", "item_id"),
)

# One row for each answer that held items. Append only.
access = Table(
    "sync_access",
    metadata,
    Column("id", BigKey, primary_key=True, autoincrement=True),
    Column("at", Instant, nullable=False),
    Column("record_id", Text, nullable=False, index=True),
    Column("object_id", Text, nullable=False),
    Column("workload", Text, nullable=False),
    Column("operation", Text, nullable=False),
    Column("item_count", Integer, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("reason", Text, nullable=False),
)

mailboxes = Table(
    "sync_mailboxes",
    metadata,
    Column("record_id", Text, primary_key=True),
    Column("state", Word(SyncState), nullable=False),
    Column("reason", Text, nullable=False),
    Column("is_paused", Boolean, nullable=False),
    Column("next_at", Instant),
    Column("empty_answers", Integer, nullable=False),
    Column("changed_at", Instant, nullable=False),
)

# A request for a full pass to whoever holds the shard, and its answer.
passes = Table(
    "sync_passes",
    metadata,
    Column("pass_id", Text, nullable=False),
    Column("shard", Integer, nullable=False),
    Column("state", Word(PassState), nullable=False),
    Column("answer", Json),
    Column("requested_at", Instant, nullable=False),
    Column("answered_at", Instant),
    PrimaryKeyConstraint("pass_id", "shard"),
    Index("ix_sync_passes_state", "state"),
)
