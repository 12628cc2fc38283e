"""What of two rows is the same: pure, and the one way in which guarded values are compared."""

from __future__ import annotations

from collections.abc import Mapping

from guard.columns.table import TABLES
from rules.model.change import Value
from rules.operators.fields import fold
from rules.operators.likeness import LONGEST


def is_equal(left: Value, right: Value) -> bool:
    """Return whether two values are one; empty text and none are, and texts have no case (law 13).

    Dataverse keeps an emptied text as null, and a delivery may hold either.
    """
    left = None if left == "" else left
    right = None if right == "" else right
    if isinstance(left, str) and isinstance(right, str):
        return fold(left) == fold(right)
    return left == right


def differing(table: str, left: Mapping[str, Value], right: Mapping[str, Value]) -> tuple[str, ...]:
    """Return the flat names of the guarded columns whose values differ, in the table's order."""
    return tuple(
        name for name in TABLES[table].flat if not is_equal(left.get(name), right.get(name))
    )


def is_same(table: str, left: Mapping[str, Value], right: Mapping[str, Value]) -> bool:
    """Return whether all guarded columns are equal."""
    return not differing(table, left, right)


def is_same_change(
    table: str,
    left: tuple[Mapping[str, Value], Mapping[str, Value]],
    right: tuple[Mapping[str, Value], Mapping[str, Value]],
) -> bool:
    """Return whether two changes, each a row before and after, altered the same in the same way.

    They end in the same guarded values, and each column that either altered began with the same.
    """
    if not is_same(table, left[1], right[1]):
        return False
    altered = {*differing(table, *left), *differing(table, *right)}
    return all(is_equal(left[0].get(name), right[0].get(name)) for name in altered)


def guarded_part(table: str, columns: Mapping[str, Value]) -> dict[str, Value]:
    """Return the guarded columns that are known; a lookup keeps its table beside its id."""
    kept: dict[str, Value] = {}
    for name, kind in TABLES[table].columns.items():
        names = (f"{name}.id", f"{name}.type") if kind == "lookup" else (name,)
        kept.update({flat: columns[flat] for flat in names if flat in columns})
    return kept


def address_of(table: str, columns: Mapping[str, Value]) -> str | None:
    """Return the address that a row has, folded; None when it has none or it is not known.

    Text that no address can be has none either: databases refuse some of it, and hostile rows
    must be remembered all the same.
    """
    address = columns.get(TABLES[table].address)
    folded = fold(address.strip()) if isinstance(address, str) else ""
    return folded if folded.isprintable() and 0 < len(folded) <= LONGEST else None
