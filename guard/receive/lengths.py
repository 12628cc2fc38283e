"""How long a text may be: a longer one was not sent by Dataverse, and is read no further."""

from __future__ import annotations

from guard.columns.table import GuardedTable
from guard.errors import TextTooLong


def is_too_long(table: GuardedTable, column: str, text: str) -> bool:
    """Return whether a column that isn't guarded holds more text than a line of Dataverse may.

    Raises TextTooLong when a guarded one does.
    """
    if len(text) <= table.most_characters(column):
        return False
    if column in table.columns:
        raise TextTooLong(
            f"The column {column} of the table {table.name} holds {len(text)} characters, and "
            f"Dataverse allows {table.most_characters(column)}.",
            hint="Post the context as Dataverse sends it.",
        )
    return True
