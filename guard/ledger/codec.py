"""Values become the JSON text that the ledger keeps; `rules.replay.ledger_format` reads it back.

The text that is stored is the text that was digested, so nothing depends on a canonical form.
msgspec writes it, because this is the hot path: a fifth of the standard encoder's time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from kernel.tables import microseconds
from rules.model.change import Value
from rules.replay.ledger_format import MOMENT

_PLAIN = frozenset({str, int, float, bool, type(None)})


def _unusual(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} can't be recorded")


_encode = msgspec.json.Encoder(enc_hook=_unusual).encode


def text_of(value: Any) -> str:
    """Return the JSON text of a value; columns and facts go through `storable` first."""
    return bytes_of(value).decode()


def bytes_of(value: Any) -> bytes:
    """Return the JSON text of a value as UTF-8."""
    try:
        return _encode(value)
    except UnicodeEncodeError:
        # A lone surrogate, which only hostile text has, is written as an escape.
        return json.dumps(value, default=_unusual, separators=(",", ":")).encode()


def storable(columns: Mapping[str, Value]) -> Mapping[str, Any]:
    """Return columns or facts as JSON can say them: a moment is `{"$at": microseconds}`."""
    if _PLAIN.issuperset(map(type, columns.values())):
        return columns
    return {name: _stored(value) for name, value in columns.items()}


def _stored(value: Value) -> Any:
    if isinstance(value, datetime):
        return {MOMENT: microseconds(value)}
    if isinstance(value, tuple):
        return [_stored(item) for item in value]
    return value
