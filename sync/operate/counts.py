"""How many mailboxes stand how: what a monitor watches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from sync.operate.mailboxes import list_mailboxes
from sync.store.tables import SyncState, quarantine


@dataclass(frozen=True, slots=True)
class MailboxCounts:
    """How many mailboxes are in each state, each state named; and what stands behind.

    `stalest` is as of when the mailbox is known that is furthest behind of those approved and
    visited, None where there is none; `quarantined` counts items set aside.
    """

    by_state: Mapping[SyncState, int]
    stalest: datetime | None
    quarantined: int


def count_mailboxes(connection: Connection, *, now: datetime) -> MailboxCounts:
    """Return the counts; one pass over all mailboxes, so ask seldom."""
    listed = list_mailboxes(connection, now=now)
    by_state = Counter(SyncState(one["state"]) for one in listed)
    fresh = (one["fresh_as_of"] for one in listed if one["approved"])
    return MailboxCounts(
        by_state={state: by_state[state] for state in SyncState},
        stalest=min((datetime.fromisoformat(at) for at in fresh if at), default=None),
        quarantined=connection.scalar(select(func.count()).select_from(quarantine)) or 0,
    )
