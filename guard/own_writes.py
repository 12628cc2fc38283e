"""The guard's own writes, known again by nonce, own user and values (law 5); never by Depth.

All three are needed: a tag can be copied by whoever sees it, our user may be misused by somebody
who has its secret, and values alone may be anybody's.
"""

from __future__ import annotations

from collections.abc import Mapping

from guard.columns.change import GuardedChange
from guard.columns.compare import is_equal
from guard.columns.table import APPROVAL, APPROVED, TABLES
from guard.identity import OwnIdentity
from guard.ledger.port import Ledger
from guard.receive.ancestors import ancestors_of
from guard.receive.delivery import Delivery
from rules.model.change import Change, Value

TAG = "mailbox-guard-"
ADDRESS = "address"


def alias_of(table: str, name: str) -> str:
    """Return the name under which a column is announced: addresses have one name on all tables."""
    return ADDRESS if name == TABLES[table].address else name


def announced(table: str, columns: Mapping[str, Value]) -> dict[str, Value]:
    """Return columns under the names by which own writes are announced."""
    return {alias_of(table, name): value for name, value in columns.items()}


async def is_own_write(
    delivery: Delivery, change: GuardedChange, *, identity: OwnIdentity, ledger: Ledger
) -> bool:
    """Return whether a change is one that the guard announced and is making itself.

    The nonce may stand in an ancestor: a write on one row makes the platform write on others.
    """
    if identity.user_id is None or delivery.initiating_user_id != identity.user_id:
        return False
    for tag in _tags(delivery):
        write = await ledger.own_write(tag)
        if write is None or change.record_id not in write.record_ids:
            continue
        if all(is_announced(change.change, name, write.columns) for name in change.altered):
            return True
    return False


def _tags(delivery: Delivery) -> list[str]:
    tags = [delivery.tag, *(one.tag for one in ancestors_of(delivery))]
    return [tag for tag in tags if tag is not None and tag.startswith(TAG)]


def is_announced(change: Change, name: str, columns: Mapping[str, Value]) -> bool:
    """Return whether a column holds what was announced, or what the platform makes of that."""
    value = change.after.get(name)
    if name == APPROVAL and value == APPROVED:
        # No write of ours ever approves.
        return False
    alias = alias_of(change.table, name)
    if alias in columns and is_equal(columns[alias], value):
        return True
    # The platform sets the approval back when an address is written; it never sets it to 1 here.
    return name == APPROVAL and value != APPROVED
