"""Why a row may hold what the copy of it does not: pure.

Three things explain a difference, and nothing else does:

- decisions on the row that were allowed and lead, one after the other, from the copy to the row;
- our own write, announced for this row, with what the platform makes of it;
- the row that it shares address and approval with: the platform shows what is written on a mailbox
  on its user or queue, and the other way round, at times without any event.

A decision whose confirmation was seen is spent, and so is one older than the copy: what was allowed
once is no pass for doing it again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from guard.columns.change import GuardedChange
from guard.columns.compare import differing, is_equal
from guard.columns.table import APPROVAL, APPROVED, TABLES
from guard.known_good import COMMITTED_WITHIN
from guard.ledger.entry import MirrorRow, Recorded
from guard.ledger.own_writes import OwnWrite
from guard.ledger.port import ALLOWED
from guard.own_writes import ADDRESS, alias_of, is_announced
from guard.ports.rows import StoredRow
from guard.receive.delivery import ASYNCHRONOUS, SYNCHRONOUS
from rules.model.change import Change, Value

# A write is announced right before it is made, and the row may be read in between.
ANNOUNCED_WITHIN = timedelta(minutes=5)
TRAVELLING = (ADDRESS, APPROVAL)


@dataclass(frozen=True, slots=True)
class Shared:
    """The row that shares address and approval with another, and the decisions on it."""

    row: StoredRow
    decisions: Sequence[Recorded]


def steps_to(
    row: StoredRow,
    copy: MirrorRow | None,
    names: Collection[str],
    decisions: Sequence[Recorded],
    *,
    now: datetime,
) -> list[Recorded] | None:
    """Return the allowed decisions that lead to these columns of the row, the last one first.

    None when they don't explain all of it. `decisions` are the newest on the row, newest first;
    they may have been recorded in another order than what they tell of was done.
    """
    begins = copy.columns if copy is not None else {}
    wanted = {name: row.columns.get(name) for name in names}
    if copy is None:
        wanted = {n: v for n, v in wanted.items() if n != APPROVAL or v == APPROVED}
    spent = {one.public.get("confirms") for one in decisions}
    left = [one for one in decisions if one.id not in spent and _may_explain(one, copy, now)]
    steps: list[Recorded] = []
    while not all(is_equal(begins.get(n), wanted[n]) for n in wanted):
        step = next((one for one in left if _altered_to(one, wanted)), None)
        if step is None:
            return None
        left.remove(step)
        steps.append(step)
        wanted.update((n, step.before.get(n)) for n in _altered_to(step, wanted))
        if copy is None and step.public.get("operation") == "create":
            # What the platform fills in by itself was not sent, and gives no access.
            sensitive = TABLES[row.table].sensitive
            wanted = {n: v for n, v in wanted.items() if n in sensitive or n in step.after}
    return steps or None


def _altered_to(one: Recorded, wanted: Mapping[str, Value]) -> list[str]:
    """Return the wanted columns that a decision's change altered, if all of them to what is."""
    altered = [n for n in differing(one.table, one.before, one.after) if n in wanted]
    return altered if all(is_equal(one.after.get(n), wanted[n]) for n in altered) else []


def own_written(row: StoredRow, names: Collection[str], writes: Sequence[OwnWrite]) -> set[str]:
    """Return those of the columns that hold what one of our own writes has made of them."""
    change = Change(row.table, "update", row.record_id, {}, row.columns)
    return {
        name for name in names if any(is_announced(change, name, write.columns) for write in writes)
    }


def travelled(
    row: StoredRow,
    copy: MirrorRow,
    names: Collection[str],
    decisions: Sequence[Recorded],
    shared: Shared,
) -> set[str]:
    """Return those of the columns that the platform has copied from the row it shares them with.

    The newest word on either row since the copy counts: it must be an allowed one, have altered
    the column to this value, and the other row must hold it too.
    """
    found = set()
    for name in names:
        alias = alias_of(row.table, name)
        value = row.columns.get(name)
        if alias not in TRAVELLING or not is_equal(
            shared.row.columns.get(name_of(shared.row.table, alias)), value
        ):
            continue
        newest = max(
            (
                one
                for one in (*decisions, *shared.decisions)
                if one.decided_at >= copy.read_at and _has_altered(one, alias)
            ),
            key=lambda one: one.id,
            default=None,
        )
        if (
            newest is not None
            and newest.decision in ALLOWED
            and newest.table == shared.row.table
            and is_equal(newest.after.get(name_of(newest.table, alias)), value)
        ):
            found.add(name)
    return found


def refusals_of(
    row: StoredRow, copy: MirrorRow | None, names: Collection[str], decisions: Sequence[Recorded]
) -> list[Recorded]:
    """Return the decisions by which this very difference was refused.

    Each says what is to be done about it only while its revert goes on or needs a person: done, it
    is spent, and whoever makes the same difference again has made another change.
    """
    return [
        one
        for one in decisions
        if one.decision not in ALLOWED
        and one.public.get("mode") == ASYNCHRONOUS
        and (copy is None or one.decided_at >= copy.read_at)
        and _alters_all(one, names, row.columns)
    ]


def change_of(one: Recorded, row: StoredRow) -> GuardedChange:
    """Return the change that a decision was made on, in the row as it is now.

    What it did not alter is as the row holds it: from what was there then, and was changed since by
    right, nothing follows any more.
    """
    altered = {_column(name) for name in differing(one.table, one.before, one.after)}
    rest = {
        name: value
        for name, value in row.columns.items()
        if name in one.after and _column(name) not in altered
    }
    before, after = {**one.before, **rest}, {**one.after, **rest}
    operation = str(one.public.get("operation") or "update")
    sent = frozenset(name for name, value in after.items() if value != before.get(name))
    request: dict[str, Value] = {"columns": tuple(sorted(sent)), "mode": 1, "stage": 40, "depth": 1}
    return GuardedChange(Change(one.table, operation, one.record_id, before, after, sent, request))


def is_superseded(one: Recorded, row: StoredRow) -> bool:
    """Return whether later changes gave the row another address, approval, owner or identity."""
    return any(
        name in one.after and not is_equal(one.after[name], row.columns.get(name))
        for name in TABLES[row.table].sensitive
    )


def _column(name: str) -> str:
    """Return the column of a flat name: a lookup is its id and its table."""
    return name.removesuffix(".id").removesuffix(".type")


def name_of(table: str, alias: str) -> str:
    """Return the name that a column has on a table."""
    return TABLES[table].address if alias == ADDRESS else alias


def _may_explain(one: Recorded, copy: MirrorRow | None, now: datetime) -> bool:
    if one.decision not in ALLOWED or one.private is None or one.cause == "deferred":
        return False
    if one.public.get("mode") == SYNCHRONOUS:
        # What was allowed but not yet confirmed explains only what follows it closely.
        return now - one.decided_at <= COMMITTED_WITHIN
    return copy is None or one.decided_at >= copy.read_at


def _has_altered(one: Recorded, alias: str) -> bool:
    name = name_of(one.table, alias)
    return one.private is not None and not is_equal(one.before.get(name), one.after.get(name))


def _alters_all(one: Recorded, names: Collection[str], columns: Mapping[str, object]) -> bool:
    if one.private is None or not names:
        return False
    altered, after = differing(one.table, one.before, one.after), one.after
    return all(
        name in altered and is_equal(after.get(name), columns.get(name))  # type: ignore[arg-type]
        for name in names
    )
