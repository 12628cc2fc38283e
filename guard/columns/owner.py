"""Whose mailbox a row is: the user, queue or team that its columns name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from guard.columns.table import OWNERS, TABLES, GuardedTable, OwnerType
from rules.model.change import Value

# The lookups of a mailbox that name its owner, the one that counts first.
OWNING_COLUMNS = ("regardingobjectid", "ownerid")
TABLES_OF_OWNERS: Mapping[str, GuardedTable] = MappingProxyType(
    {table.owner_type.value: table for table in OWNERS if table.owner_type is not None}
)
# A team may own a mailbox although its table isn't guarded.
OWNER_TYPES: Mapping[str, OwnerType] = {"team": OwnerType.TEAM} | {
    table.name: table.owner_type for table in OWNERS if table.owner_type is not None
}


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose row it is; `type` is None when the row names an id alone."""

    id: str
    type: OwnerType | None

    @property
    def is_no_person(self) -> bool:
        """Return whether it is known to have no sign-in name and no Entra object."""
        return self.type is not None and self.type is not OwnerType.USER


def owner_of(table: str, record_id: str, columns: Mapping[str, Value]) -> Owner | None:
    """Return the owner that a row names: an owner's own row, itself; None when it names nobody.

    Columns have their flat names (`ownerid.id`, `ownerid.type`).
    """
    owner_type = TABLES[table].owner_type
    if owner_type is not None:
        return Owner(record_id, owner_type)
    for column in OWNING_COLUMNS:
        identity = columns.get(f"{column}.id")
        if isinstance(identity, str) and identity:
            kind = columns.get(f"{column}.type")
            return Owner(identity, OWNER_TYPES.get(kind) if isinstance(kind, str) else None)
    return None


def mailbox_owner_id(columns: Mapping[str, Value]) -> str | None:
    """Return the id of the user, queue or team that a mailbox row names; None for nobody."""
    for column in OWNING_COLUMNS:
        identity = columns.get(f"{column}.id")
        if identity:
            return identity if isinstance(identity, str) else None
    return None
