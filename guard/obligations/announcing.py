"""Announcing a write of our own before it is made, so that it is known again (laws 5 and 7)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sqlalchemy import Connection

from guard.columns.owner import OWNING_COLUMNS
from guard.ledger import own_writes
from guard.obligations.obligation import Means
from guard.own_writes import TAG, announced
from guard.ports.rows import StoredRow
from kernel.tasks import Task
from rules.model.change import Value


def nonce_of(task: Task) -> str:
    """Return the tag under which a task writes."""
    return f"{TAG}{task.token}"


async def announce(
    means: Means,
    task: Task,
    row: StoredRow,
    columns: Mapping[str, Value],
    *,
    failpoint: str,
    beside: Callable[[Connection], None] = lambda connection: None,
) -> str:
    """Write down what is about to be written, and on which rows it may show; return its tag.

    `beside` is done in the same transaction; what it raises keeps the announcement from being made.
    """
    nonce, related = nonce_of(task), [row.record_id]
    # What is written on one row the platform copies to those that belong to it.
    for name in OWNING_COLUMNS:
        other = row.columns.get(f"{name}.id")
        if isinstance(other, str):
            related.append(other)
    related += [one.record_id for one in await means.ledger.mailboxes_of(row.record_id)]
    now = means.recorder.now()

    def write(connection: Connection) -> None:
        beside(connection)
        own_writes.announce(
            connection,
            nonce=nonce,
            record_ids=related,
            columns=announced(row.table, columns),
            now=now,
        )

    await means.database.write(write, failpoint=failpoint)
    return nonce
