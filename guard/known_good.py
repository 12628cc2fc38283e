"""What of a row is known good, and how it becomes so: pure (law 16).

A copy begins as *seen*: the guard has read it, and nothing more. A column of it becomes *good* when
a decision allowed exactly the value that was read, or a scan judged the row. What was only seen is
never restored, explains no difference and overrides no pre-image; what a delivery says becomes
good by no other way than that the guard reads it.

A good value is *firm* when no delivery that is still on its way can be about it: a decision allowed
it, or the row had been left alone for long when it was scanned. The approval itself is never firm
by a scan, since who approved a row can't be read off it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from guard.columns.compare import guarded_part, is_equal
from guard.columns.table import APPROVAL, APPROVED, TABLES
from guard.ledger.entry import MirrorRow
from guard.ports.rows import StoredRow
from rules.model.change import Value

# The platform commits within minutes or not at all, and tells of it soon afterwards.
COMMITTED_WITHIN = timedelta(minutes=15)


def seen(row: StoredRow, copy: MirrorRow | None, *, read_at: datetime) -> MirrorRow:
    """Return the copy with what was read of the columns that are not known good."""
    columns = guarded_part(row.table, row.columns)
    if copy is None:
        return MirrorRow(row.table, row.record_id, columns, read_at)
    return replace(copy, columns={**columns, **copy.known_good})


def allowed(
    row: StoredRow,
    copy: MirrorRow | None,
    values: Mapping[str, Value],
    names: Collection[str],
    *,
    read_at: datetime,
    decision_id: str | None = None,
) -> MirrorRow | None:
    """Return the copy with those columns that hold the allowed values; None when none does."""
    held = [name for name in names if is_equal(row.columns.get(name), values.get(name))]
    if not held:
        return None
    taken: dict[str, Value] = {}
    for name in held:
        taken[name] = row.columns.get(name)
        if name.endswith(".id"):
            kind = f"{name.removesuffix('.id')}.type"
            taken[kind] = row.columns.get(kind)
    return MirrorRow(
        row.table,
        row.record_id,
        {**(copy.columns if copy is not None else {}), **taken},
        read_at,
        good={**(copy.good if copy is not None else {}), **dict.fromkeys(held, True)},
        decision_id=decision_id or (copy.decision_id if copy is not None else None),
        revision=copy.revision if copy is not None else 0,
    )


def scanned(copy: MirrorRow, row: StoredRow, *, now: datetime) -> MirrorRow:
    """Return the copy of a row that a scan found good as it is."""
    rested = row.quiet_for is None or row.quiet_for >= COMMITTED_WITHIN
    is_firm = rested or now - copy.read_at >= COMMITTED_WITHIN
    good = {name: is_firm for name in TABLES[copy.table].flat if name in copy.columns}
    if copy.columns.get(APPROVAL) == APPROVED and APPROVAL in good:
        good[APPROVAL] = False
    return replace(copy, good={name: good[name] or copy.good.get(name, False) for name in good})


def is_unjudged(copy: MirrorRow, *, now: datetime) -> bool:
    """Return whether a scan could make more of the copy good, or firm."""
    may_be_firm = now - copy.read_at >= COMMITTED_WITHIN
    for name in TABLES[copy.table].flat:
        if name not in copy.columns or copy.good.get(name):
            continue
        is_approval = name == APPROVAL and copy.columns[name] == APPROVED
        if name not in copy.good or (may_be_firm and not is_approval):
            return True
    return False


def differs(row: StoredRow, copy: MirrorRow) -> bool:
    """Return whether a column differs that the copy holds."""
    return any(
        not is_equal(row.columns.get(name), copy.columns[name])
        for name in TABLES[row.table].flat
        if name in copy.columns
    )


def unknown_access(row: StoredRow, copy: MirrorRow) -> frozenset[str]:
    """Return what gives access in a row and is not in the copy: its address, its approval."""
    address = TABLES[row.table].address
    access = {address: bool(row.columns.get(address))}
    access[APPROVAL] = row.columns.get(APPROVAL) == APPROVED
    return frozenset(name for name, given in access.items() if given and name not in copy.columns)


def stands(copy: MirrorRow | None, name: str, value: Value) -> bool:
    """Return whether a column is firmly known to hold this value by right."""
    return copy is not None and copy.good.get(name, False) and is_equal(copy.columns[name], value)


def is_good(copy: MirrorRow | None, name: str, value: Value) -> bool:
    """Return whether a column is known to hold this value by right, firmly or not."""
    return copy is not None and name in copy.good and is_equal(copy.columns[name], value)
