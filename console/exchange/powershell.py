"""Texts inside PowerShell, so that whatever stands in them does nothing."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import wrap
from unicodedata import category

# PowerShell takes each of these for the quote that ends a single-quoted text.
# Source: learn.microsoft.com/powershell, about_Quoting_Rules; the tokenizer's own table.
_QUOTES = "'\u2018\u2019\u201a\u201b"
_DOUBLED = {ord(quote): quote * 2 for quote in _QUOTES}
_WIDTH = 96
_STEERING = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def is_plain(text: str) -> bool:
    """Return whether a text has no line break and no sign that steers a terminal or hides."""
    return not any(category(char) in _STEERING for char in text)


def quoted(text: str) -> str:
    """Return the single-quoted literal of a text: no variable, no escape, no command in it.

    Raises ValueError for a text that is not plain: pasted into a console, its lines would end.
    """
    if not is_plain(text):
        raise ValueError("A line break or a steering sign is in a text for PowerShell.")
    return f"'{text.translate(_DOUBLED)}'"


def comment(text: str) -> Iterator[str]:
    """Yield a text as lines of comment, whatever stands in it."""
    shown = "".join(char if is_plain(char) else "\ufffd" for char in text)
    for line in wrap(shown, _WIDTH):
        yield f"# {line}"
