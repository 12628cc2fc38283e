"""The address book: which row of Dataverse an address belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class KnownRow:
    """A row of Dataverse that an address belongs to; `table` is systemuser or queue."""

    table: str
    row_id: str


AddressBook = Mapping[str, KnownRow]
"""Case-folded address → row. Only addresses that the guard holds approved stand in it."""
