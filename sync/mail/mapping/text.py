"""Text as the columns of Dataverse take it: no control characters, no longer than they are.

A column's length is counted in UTF-16 units: an emoji takes two of them.
"""

from __future__ import annotations

import re

_CONTROLS = re.compile(r"[\x00-\x1f\x7f]+")
# Of the control characters, text of several lines keeps tab, line feed and carriage return.
_CONTROLS_IN_LINES = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]+")


def line_of(text: str, units: int) -> str:
    """Return one line of at most that many UTF-16 units; control characters become blanks."""
    return fitted(_CONTROLS.sub(" ", text).strip(), units)


def lines_of(text: str, units: int) -> str:
    """Return text of at most that many UTF-16 units, with its lines and tabs."""
    return fitted(_CONTROLS_IN_LINES.sub("", text), units)


def fitted(text: str, units: int) -> str:
    """Return as much of a text as that many UTF-16 units hold, never half a surrogate pair.

    A half that the text came with is legal in JSON and in nothing that JSON is turned into: it
    becomes a question mark.
    """
    kept = text.encode("utf-16-le", "replace")[: 2 * units]
    return kept.decode("utf-16-le", "ignore")


def units_in(text: str) -> int:
    """Return the length of a text in UTF-16 units."""
    return len(text.encode("utf-16-le", "replace")) // 2
