"""The row on which a change was asked for, as it is now, held against the change: pure."""

from __future__ import annotations

from dataclasses import dataclass

from guard.columns.change import GuardedChange
from guard.columns.compare import differing, is_equal
from guard.columns.table import APPROVAL, APPROVED
from guard.ledger.parked import HeldChange
from guard.ports.rows import StoredRow
from guard.receive.change import base_names
from rules.model.change import Change, Value


@dataclass(frozen=True, slots=True)
class RowStanding:
    """How a row stands to a change that was asked for.

    `is_done` says that it holds all that the change would make of it; `others` are the guarded
    columns that hold neither that nor what was there when it was asked for.
    """

    is_done: bool
    others: tuple[str, ...]


def standing_of(change: HeldChange, row: StoredRow) -> RowStanding:
    """Return how a row stands to a change. What its approval is says nothing unless it is altered.

    A hold that was committed sets the approval back itself.
    """
    now, altered = row.columns, change.altered
    is_done = all(is_equal(now.get(name), change.after.get(name)) for name in altered)
    others = [name for name in differing(change.table, change.before, now) if name != APPROVAL]
    if APPROVAL in altered and now.get(APPROVAL) == APPROVED:
        others.append(APPROVAL)
    return RowStanding(is_done, () if is_done else tuple(others))


def columns_of(change: HeldChange) -> dict[str, Value]:
    """Return what the change makes of the columns that it alters, a lookup with its table."""
    columns: dict[str, Value] = {}
    for name in change.altered:
        columns[name] = change.after.get(name)
        if name.endswith(".id"):
            kind = f"{name.removesuffix('.id')}.type"
            columns[kind] = change.after.get(kind)
    return columns


def change_now(change: HeldChange, row: StoredRow | None) -> GuardedChange:
    """Return the change as the row would undergo it now; without a row, that makes a new one."""
    columns = dict(change.after) if row is None else columns_of(change)
    before = dict(row.columns) if row is not None else {}
    return _guarded(change, before, {**before, **columns}, columns)


def change_made(change: HeldChange, row: StoredRow) -> GuardedChange:
    """Return the change that has led to the row as it is."""
    columns = columns_of(change)
    before = {**row.columns, **{name: change.before.get(name) for name in columns}}
    return _guarded(change, before, dict(row.columns), columns)


def _guarded(
    change: HeldChange,
    before: dict[str, Value],
    after: dict[str, Value],
    sent: dict[str, Value],
) -> GuardedChange:
    request: dict[str, Value] = {"columns": base_names(sent), "mode": 0, "stage": 20, "depth": 1}
    return GuardedChange(
        Change(
            change.table,
            change.operation,
            change.record_id,
            before,
            after,
            frozenset(sent),
            request,
        )
    )
