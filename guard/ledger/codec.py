"""Values become JSON text and come back the same: moments and lists survive the journey.

The text that is stored is the text that was digested, so nothing depends on a canonical form.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from kernel.tables import microseconds, moment_of
from rules.change import Value

_MOMENT = "$at"


def _unusual(value: Any) -> Any:
    if isinstance(value, datetime):
        return {_MOMENT: microseconds(value)}
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, frozenset | set):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} can't be recorded")


# ASCII only: a lone surrogate or a NUL in hostile text is then as storable as anything else.
text_of = json.JSONEncoder(separators=(",", ":"), default=_unusual).encode


def value_from(stored: Any) -> Value:
    """Return the value that `text_of` wrote."""
    if isinstance(stored, dict):
        return moment_of(stored[_MOMENT])
    if isinstance(stored, list):
        return tuple(value_from(item) for item in stored)
    if stored is None or isinstance(stored, str | int | float | bool):
        return stored
    raise TypeError(f"{type(stored).__name__} is no recorded value")


def values_from(stored: Mapping[str, Any]) -> dict[str, Value]:
    """Return the columns or facts that were recorded."""
    return {name: value_from(value) for name, value in stored.items()}
