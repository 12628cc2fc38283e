"""The streams of one mailbox as people see them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from kernel import approvals
from sync.model.stream import brake_reason
from sync.registry import NOUNS
from sync.store import streams


def list_chains(connection: Connection, record_id: str) -> list[dict[str, Any]]:
    """Return each stream of the mailbox: its folder, how fresh it is, what its round is doing."""
    held = approvals.find(connection, record_id)
    if held is None:
        return []
    return [
        {
            "workload": one.workload,
            "noun": NOUNS.get(one.workload, "item"),
            "folder": one.folder,
            "fresh_as_of": one.fresh_as_of,
            "round": one.round,
            "is_full": one.is_full,
            "brake": None
            if one.braked is None
            else brake_reason(one.braked, noun=NOUNS.get(one.workload, "item")),
        }
        for one in streams.list_for(connection, record_id, held.object_id)
    ]
