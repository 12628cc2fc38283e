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
        else:
            found.append((name, in_text(one)))

    walk("", value)
    return found


def in_text(value: Any) -> str:
    """Return a value as people read it; nothing, and what is empty, as no text at all."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case list() | tuple() | set() | frozenset():
            return ", ".join(in_text(one) for one in value)
        case Mapping():
            return ", ".join(f"{name} {in_text(one)}" for name, one in value.items())
        case _:
            return str(value)
