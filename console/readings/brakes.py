"""What brakes have stopped, with the addresses of the mailboxes that rest for it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from kernel import acts, approvals, stops
from kernel.acts import ActKind
from kernel.brake import BRAKES, Release
from kernel.errors import InputRefused
from kernel.principal import Principal
from kernel.stops import Stop


def list_stops(connection: Connection) -> list[dict[str, Any]]:
    """Return everything that a brake has stopped: the shape of docs/contract.md."""
    return _shown(connection, stops.list_all(connection))


def release(
    connection: Connection, brake: str, *, by: Principal, now: datetime
) -> list[dict[str, Any]]:
    """Let everything go on that a brake has stopped, on a person's word, and return it.

    Raises InputRefused for a brake that another word releases.
    """
    known = BRAKES.get(brake)
    if known is not None and known.release is not Release.GO_ON:
        raise InputRefused(
            f"The brake {brake} is released by another word.",
            hint=f"Give `mailbox-guard {known.release.value}`.",
        )
    if not any(
        one.brake == brake and one.released_at is None for one in stops.list_all(connection)
    ):
        return []
    acts.append_word(connection, ActKind.RELEASE, brake, by, now=now)
    return _shown(connection, stops.release(connection, brake, now=now))


def _shown(connection: Connection, found: Sequence[Stop]) -> list[dict[str, Any]]:
    addresses = (
        {one.record_id: one.address for one in approvals.list_all(connection)} if found else {}
    )
    return [
        {
            "brake": one.brake,
            "table": one.scope or "mailbox",
            "subject": one.subject,
            "mailbox": one.record_id or None,
            "address": addresses.get(one.record_id),
            "reason": one.reason,
            "since": one.since.isoformat().replace("+00:00", "Z"),
            "released": one.released_at is not None,
        }
        for one in found
    ]
