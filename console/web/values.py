"""Values of any shape become names with texts, as people read them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def flattened(value: Mapping[str, Any], *, most: int = 60) -> list[tuple[str, str]]:
    """Return names with values for people, what lies within others named by its path."""
    found: list[tuple[str, str]] = []

    def walk(name: str, one: Any) -> None:
        if len(found) >= most:
            return
        if isinstance(one, Mapping):
            for key, inner in one.items():
                walk(f"{name}.{key}" if name else str(key), inner)
        elif isinstance(one, list | tuple):
            found.append((name, ", ".join(str(inner) for inner in one)))
        else:
            found.append((name, "" if one is None else str(one)))

    walk("", value)
    return found
