"""What a recorded decision says of the edit that it is about: who, which row, from what to what."""

from __future__ import annotations

from typing import Any

from guard.columns.compare import is_equal
from guard.columns.table import APPROVAL, TABLES
from guard.ledger.entry import Recorded


def actor_id(stated: Recorded) -> str | None:
    """Return the id of the system user who began it."""
    found = stated.public.get("initiating_user_id")
    return found if isinstance(found, str) else None


def actor_upn(stated: Recorded) -> str | None:
    """Return the sign-in name of the actor, where a policy read it."""
    found = ((stated.private or {}).get("facts") or {}).get("actor.upn")
    return found if isinstance(found, str) else None


def address(stated: Recorded) -> dict[str, Any]:
    """Return the address of the row, `before` and `after`; nothing where none is recorded."""
    table = TABLES.get(stated.table)
    return _sides(stated, table.address) if table is not None else {}


def approval(stated: Recorded) -> dict[str, Any]:
    """Return the approval of the row as its number, `before` and `after`, where it is recorded."""
    return _sides(stated, APPROVAL)


def altered(stated: Recorded) -> list[str]:
    """Return the names of the guarded columns that differ, in the order of the table."""
    table = TABLES.get(stated.table)
    private = stated.private or {}
    before, changed = private.get("before") or {}, private.get("altered") or {}
    return [
        flat.removesuffix(".id")
        for flat in (table.flat if table is not None else ())
        if flat in changed and not is_equal(before.get(flat), changed[flat])
    ]


def facts(stated: Recorded) -> list[dict[str, Any]]:
    """Return the facts that the rules read, by name: value, source, and age in seconds.

    Known to be old is what was looked up for an earlier decision; for this one: 0. What the guard
    knows by itself is as it stood in its copies then.
    """
    private = stated.private or {}
    sources, ages = private.get("sources") or {}, private.get("ages") or {}
    return [
        {
            "name": name,
            "value": value,
            "source": sources.get(name),
            "age_seconds": ages.get(name, 0),
        }
        for name, value in sorted((private.get("facts") or {}).items())
    ]


def has_rule(stated: Recorded, rule: str) -> bool:
    """Return whether a rule, or any of a policy, contributed."""
    return any(rule in (one, one.split("/", 1)[0]) for one in stated.public.get("rules", ()))


def _sides(stated: Recorded, column: str) -> dict[str, Any]:
    private = stated.private or {}
    before, changed = private.get("before") or {}, private.get("altered") or {}
    if column not in before and column not in changed:
        return {}
    old = before.get(column)
    return {"before": old, "after": changed.get(column, old)}
