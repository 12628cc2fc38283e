"""What of a row is known good, and how it becomes so: pure (law 16).

A copy begins as *seen*: the guard has read it, and nothing more. A column of it becomes *good* when
a decision allowed exactly the value that was read, or a scan judged the row. What was only seen is
never restored, explains no difference and overrides no pre-image; what a delivery says becomes
good by no other way than that the guard reads it.

A good value is *firm* when no delivery that is still on its way can be about it: a decision allowed
it, or what the copy holds is *settled*. A copy is settled if the row had been left alone for long
when it was read, or has been as it is for long. The approval itself is never firm by a scan, since
who approved a row can't be read off it.
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
        rested = row.quiet_for is None or row.quiet_for >= COMMITTED_WITHIN
        return MirrorRow(
            row.table, row.record_id, columns, read_at, rested=rested, name=name_of(row)
        )
    has_changed = any(
        name not in copy.good and not is_equal(columns.get(name), copy.columns[name])
        for name in TABLES[row.table].flat
        if name in copy.columns
    )
    return replace(
        copy,
        columns={**columns, **copy.known_good},
        read_at=read_at,
        rested=copy.rested and not has_changed,
        name=name_of(row),
    )


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
        rested=copy.rested if copy is not None else False,
        name=name_of(row),
        revision=copy.revision if copy is not None else 0,
    )


def name_of(row: StoredRow) -> str | None:
    """Return what the row is called, as far as that can be stored and shown."""
    name = row.columns.get(TABLES[row.table].label)
    return name if isinstance(name, str) and name.isprintable() and name else None


def scanned(copy: MirrorRow) -> MirrorRow:
    """Return the copy of a row that a scan found good as it is."""
    flat = TABLES[copy.table].flat
    good = {name: copy.good.get(name, False) for name in flat if name in copy.columns}
    return replace(copy, good=good)


def is_unjudged(copy: MirrorRow) -> bool:
    """Return whether the copy holds a column that is not known good."""
    return any(name in copy.columns and name not in copy.good for name in TABLES[copy.table].flat)


def is_settled(copy: MirrorRow, *, now: datetime) -> bool:
    """Return whether no delivery that is still on its way can be about what the copy saw."""
    return copy.rested or now - copy.read_at >= COMMITTED_WITHIN


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


def stands(copy: MirrorRow | None, name: str, value: Value, *, now: datetime) -> bool:
    """Return whether a column is firmly known to hold this value by right."""
    if copy is None or name not in copy.good or not is_equal(copy.columns[name], value):
        return False
    by_scan = is_settled(copy, now=now) and (name, value) != (APPROVAL, APPROVED)
    return copy.good[name] or by_scan


def held_before(copy: MirrorRow | None, name: str, value: Value, *, now: datetime) -> bool:
    """Return whether the guard itself read this value there, good or not, and long enough ago.

    Of a good value any time is: it is believed more than what a delivery says of the past.
    """
    if copy is None or name not in copy.columns or not is_equal(copy.columns[name], value):
        return False
    return name in copy.good or is_settled(copy, now=now)
