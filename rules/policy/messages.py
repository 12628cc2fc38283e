"""Messages with `{path}` holes: nothing in them can fail, and nothing in them is unbounded."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from itertools import islice
from typing import Any, Final

from rules.model.catalogue import FieldReference, Kind
from rules.model.change import Change, Facts
from rules.operators.fields import raw_reader
from rules.operators.unknown import UnknownValue
from rules.policy.policy import Message

HOLE: Final = re.compile(r"\{([^{}\s]{1,200})\}")
EMPTY: Final = "(empty)"
UNREADABLE: Final = "(unreadable)"
_MOST_CHARACTERS: Final = 200
_UNORDERED: Final = (set, frozenset)
_CONTAINERS: Final = (tuple, list, *_UNORDERED)

Render = Callable[[Change, Facts], str]


def compile_message(message: Message) -> Render:
    """Return a function that fills the holes from a change and its facts."""
    fillers = [_filler(piece) for piece in message.pieces if isinstance(piece, FieldReference)]
    # One `%` fills all holes at once, so a sign of that kind in the text is doubled.
    text = "".join(
        piece.replace("%", "%%") if isinstance(piece, str) else "%s" for piece in message.pieces
    )

    def render(change: Change, facts: Facts) -> str:
        return text % tuple([fill(change, facts) for fill in fillers])

    return render


def value_words(value: Any, reference: FieldReference | None = None) -> str:
    """Return a value as people read it: choices by label, an empty or unknown one as (empty)."""
    if value is None or value == "" or value.__class__ is UnknownValue:
        return EMPTY
    if isinstance(value, bool):
        return "true" if value else "false"
    if reference is not None and reference.field.kind is Kind.CHOICE:
        return reference.field.label_of(value) or value_words(value)
    if isinstance(value, str):
        return _clean(value[:_MOST_CHARACTERS]) + ("…" if len(value) > _MOST_CHARACTERS else "")
    if isinstance(value, _CONTAINERS):
        # A list in a list is no column of Dataverse, and might be thousands of lists deep.
        words = ("…" if isinstance(item, _CONTAINERS) else value_words(item) for item in value)
        # A set has another order in each process: decided again, a message must read the same.
        shown = list(islice(sorted(words) if isinstance(value, _UNORDERED) else words, 20))
        return ", ".join(shown) + (", …" if len(value) > len(shown) else "") or EMPTY
    if isinstance(value, datetime):
        return value.isoformat()
    # Python refuses to write numbers of thousands of digits, and raises.
    if isinstance(value, int) and abs(value) >= 10**18:
        return "a very large number"
    if isinstance(value, int | float):
        return str(value)
    return UNREADABLE


def _filler(reference: FieldReference) -> Render:
    raw = raw_reader(reference)
    if reference.field.kind is Kind.CHOICE:
        return lambda change, facts: value_words(raw(change, facts), reference)

    def fill(change: Change, facts: Facts) -> str:
        value = raw(change, facts)
        # By far the most of what is shown, as it is.
        if value.__class__ is str and 0 < len(value) <= _MOST_CHARACTERS and value.isprintable():
            return value
        return value_words(value, reference)

    return fill


def _clean(text: str) -> str:
    # Control characters and broken Unicode must not reach a terminal, a mail or a log line.
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else "\ufffd" for char in text)
