"""Paths of Graph: every documented spelling of a request comes out as the same segments."""

from __future__ import annotations

import re

from sandbox.odata import split_outside

_KEYED = re.compile(r"^([\w.$]+)\((.*)\)$")
_CASTS = ("microsoft.graph.", "graph.")


def segments(path: str) -> list[str]:
    """Return the segments of a path: keys stand alone, casts and calls lose their decoration."""
    found: list[str] = []
    for part in split_outside(path, "/"):
        match = _KEYED.match(part)
        name, key = (match.group(1), match.group(2)) if match else (part, None)
        found.append(_bare(name))
        if key:
            found.append(key.strip("'").replace("''", "'") if "=" not in key else f"({key})")
    return found


def _bare(name: str) -> str:
    for cast in _CASTS:
        if name.lower().startswith(cast):
            return name[len(cast) :]
    return name


def match(pattern: tuple[str, ...], path: list[str]) -> dict[str, str] | None:
    """Return the variables of a pattern that fits the path; names are compared without case."""
    if len(pattern) != len(path):
        return None
    variables = {}
    for expected, present in zip(pattern, path, strict=True):
        if expected.startswith("{"):
            variables[expected[1:-1]] = present
        elif expected.lower() != present.lower():
            return None
    return variables
