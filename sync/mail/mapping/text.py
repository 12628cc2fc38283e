"""Text as the columns of Dataverse take it: characters that XML can hold, no longer than they are.

Dataverse checks every text by the rules of XML 1.0, and refuses the row for one character: control
characters, U+FFFE, U+FFFF, and halves of surrogate pairs. A column's length is counted in UTF-16
units: an emoji takes two of them.

Source: "Manage invalid characters" of the Power Apps documentation; XML 1.0, section 2.2.
"""

from __future__ import annotations

import re

# Halves of surrogate pairs are seen to by `fitted`.
# Of the control characters only tab, line feed and carriage return are sure to be taken.
_REFUSED = r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff"
_REFUSED_IN_LINES = re.compile(f"[{_REFUSED}]+")
_REFUSED_IN_LINE = re.compile(f"[{_REFUSED}\t\n\r\u2028\u2029]+")


def line_of(text: str, units: int) -> str:
    """Return one line of at most that many UTF-16 units; what is refused becomes a blank."""
    return fitted(_REFUSED_IN_LINE.sub(" ", text).strip(), units)


def lines_of(text: str, units: int) -> str:
    """Return text of at most that many UTF-16 units, with its lines and tabs."""
    return fitted(allowed(text), units)


def allowed(text: str) -> str:
    """Return the text without the characters that are refused; its lines and tabs stay."""
    return _REFUSED_IN_LINES.sub("", text)


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
