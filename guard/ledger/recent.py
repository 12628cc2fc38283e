"""Which rows who tried to change lately, read back from the newest decisions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from guard.columns.compare import is_equal
from guard.columns.table import APPROVAL, APPROVED, TABLES
from guard.ledger.entry import Entry, recorded
from guard.ledger.parked import FROM_RELEASE
from guard.ledger.tables import decisions
from kernel.ids import first_id

MOST_READ = 5_000


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to change an address or to approve one; `signature` is the same for alike tries."""

    actor_id: str
    record_id: str
    signature: str
    at: datetime


class _Stated(msgspec.Struct):
    operation: str | None = None
    initiating_user_id: str | None = None
    source: str | None = None


class _Changed(msgspec.Struct):
    before: dict[str, Any] = msgspec.field(default_factory=dict)
    altered: dict[str, Any] = msgspec.field(default_factory=dict)


_stated = msgspec.json.Decoder(_Stated).decode
_changed = msgspec.json.Decoder(_Changed).decode


def signature_of(
    table: str, operation: str | None, before: Mapping[str, Any], after: Mapping[str, Any]
) -> str | None:
    """Return what alike tries have in common: table, operation, and whether they move or approve.

    None when a change concerns no address.
    """
    if table not in TABLES:
        return None
    column = TABLES[table].address
    moves = not is_equal(before.get(column), after.get(column))
    approves = after.get(APPROVAL) == APPROVED and before.get(APPROVAL) != APPROVED
    if not moves and not approves:
        return None
    return f"{table} {operation}{' address' * moves}{' approval' * approves}"


def list_recent(connection: Connection, *, since: datetime) -> list[Attempt]:
    """Return the newest attempts since then; those that were masked are forgotten.

    The primary key begins with the time, so hardly more is read than is returned.
    """
    statement = (
        select(decisions)
        .where(
            decisions.c.id >= first_id(since),
            decisions.c.decided_at >= since,
            decisions.c.private.is_not(None),
        )
        .order_by(decisions.c.id.desc())
        .limit(MOST_READ)
    )
    found = []
    for row in connection.execute(statement):
        try:
            stated, changed = _stated(row.public), _changed(row.private)
        except msgspec.DecodeError:
            # What was altered is for `verify` to tell.
            continue
        after = {**changed.before, **changed.altered}
        signature = signature_of(row.table_name, stated.operation, changed.before, after)
        # What is judged once more for an approver was tried when it was asked for.
        is_tried = stated.source != FROM_RELEASE
        if signature is not None and stated.initiating_user_id is not None and is_tried:
            found.append(
                Attempt(stated.initiating_user_id, row.record_id, signature, row.decided_at)
            )
    return found


def attempt_of(entry: Entry) -> Attempt | None:
    """Return the attempt that a fresh entry is about, if it is about one."""
    fresh = recorded(entry)
    actor_id = fresh.public.get("initiating_user_id")
    signature = signature_of(fresh.table, fresh.public.get("operation"), fresh.before, fresh.after)
    if signature is None or actor_id is None or fresh.public.get("source") == FROM_RELEASE:
        return None
    return Attempt(actor_id, entry.record_id, signature, entry.decided_at)
