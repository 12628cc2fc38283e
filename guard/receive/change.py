"""A delivery becomes the change that it reports: what was before, what is after, what was sent.

Presence is not change (law 4): a column in Target may be unchanged, so `before` matters.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import lru_cache

from guard.columns.table import TABLES
from guard.errors import DeliveryUnreadable
from guard.receive.delivery import Delivery
from rules.model.change import Change, Value, overlaid

# Who a row belongs to never becomes empty by an edit that leaves it out; a pre-image registered
# without these columns must not hide whose mailbox it is.
_WHOSE = (
    "ownerid",
    "regardingobjectid",
    "domainname",
    "azureactivedirectoryobjectid",
    "applicationid",
)


_MOST_REMEMBERED = 4096


def _laid_over(before: Mapping[str, Value], sent: Mapping[str, Value]) -> Mapping[str, Value]:
    """Return what was sent, as it lies over the row before."""
    if None not in sent.values():
        return sent
    laid = dict(sent)
    for name, value in sent.items():
        # A null lookup of a column that isn't known to be one comes as the plain name.
        if value is None and f"{name}.id" in before:
            laid[f"{name}.id"] = laid[f"{name}.type"] = None
    return laid


def change_from(
    delivery: Delivery,
    *,
    seen: Mapping[str, Value] | None = None,
    good: Mapping[str, Value] | None = None,
) -> Change:
    """Return the change that a guarded delivery reports.

    `seen` is the guard's copy of the row, which stands in for columns left out of a pre-image that
    say whose row it is; `good` is what of it is known good, and stands in for a missing pre-image.
    Raises DeliveryUnreadable when the delivery can't be decided from itself.
    """
    if delivery.stripped:
        raise DeliveryUnreadable("The delivery was over 256 KB: Target and images were left out.")
    if delivery.problem is not None or delivery.operation is None:
        raise DeliveryUnreadable(f"The delivery can't be decided: {delivery.problem}.")
    before: Mapping[str, Value] = {}
    if delivery.operation == "update":
        if delivery.before is None:
            before = good or {}
        else:
            before = {**_whose(seen), **delivery.before} if seen else delivery.before
    return overlaid(
        delivery.table,
        delivery.operation,
        delivery.record_id or "",
        before=before,
        altered=_laid_over(before, delivery.target),
        sent=_names_of(delivery.target)[0],
        request=request_of(delivery),
    )


def needs_mirror(delivery: Delivery) -> bool:
    """Return whether the delivery leaves out what only the mirror may say."""
    if delivery.operation != "update" or delivery.stripped:
        return False
    if delivery.before is None:
        return True
    expected = _EXPECTED[delivery.table]
    return not (expected <= delivery.before.keys() or expected.issubset(_all_of(delivery)))


def _all_of(delivery: Delivery) -> set[str]:
    return {*(delivery.before or ()), *delivery.target}


def _whose(known: Mapping[str, Value]) -> dict[str, Value]:
    return {name: value for name, value in known.items() if name.split(".", 1)[0] in _WHOSE}


def request_of(delivery: Delivery) -> dict[str, Value]:
    """Return what rules may ask about the request itself, by the catalogue's names."""
    return {
        "columns": base_names(delivery.target),
        "depth": delivery.depth,
        "stage": delivery.stage,
        "mode": delivery.mode,
        "userAgent": delivery.user_agent,
    }


def base_names(columns: Collection[str]) -> tuple[str, ...]:
    """Return the logical names of columns, lookups once."""
    return _names_of(columns)[1]


def _names_of(target: Collection[str]) -> tuple[frozenset[str], tuple[str, ...]]:
    """Return the names as sent, and the logical names, of the columns in a Target.

    The same few combinations come again and again; only those of a bounded size are remembered.
    """
    names = tuple(target)
    if sum(map(len, names)) > _MOST_REMEMBERED:
        return _made_names.__wrapped__(names)
    return _made_names(names)


@lru_cache(maxsize=256)
def _made_names(names: tuple[str, ...]) -> tuple[frozenset[str], tuple[str, ...]]:
    # A lookup counts by its column and by its `.id` and `.type`.
    sent = {*names, *(name.rsplit(".", 1)[0] for name in names if "." in name)}
    return frozenset(sent), tuple(sorted({name.split(".", 1)[0] for name in names}))


_EXPECTED: Mapping[str, frozenset[str]] = {
    name: frozenset(column for column in table.flat if column.split(".", 1)[0] in _WHOSE)
    - {"applicationid"}
    for name, table in TABLES.items()
}
