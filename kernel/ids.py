"""Identifiers: UUIDv7, so that ids sort by the moment they were made.

Source: RFC 9562, section 5.7; within one process ids of one millisecond still rise (method 1).
"""

from __future__ import annotations

import os
import threading
import uuid
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_lock = threading.Lock()
_last: list[int] = [0, 0]


def new_id(now: datetime) -> str:
    """Return a UUIDv7 text for that moment; ids made later in this process sort after it."""
    milliseconds = (now - _EPOCH) // _MILLISECOND
    tail = int.from_bytes(os.urandom(8), "big") & 0x3FFFFFFFFFFFFFFF
    with _lock:
        if milliseconds > _last[0]:
            _last[0] = milliseconds
            _last[1] = int.from_bytes(os.urandom(2), "big") & 0x3FF
        else:
            _last[1] += 1
            if _last[1] > 0xFFF:
                _last[0] += 1
                _last[1] = 0
        milliseconds, counter = _last
    value = milliseconds << 80 | 0x7 << 76 | counter << 64 | 0b10 << 62 | tail
    return str(uuid.UUID(int=value))
