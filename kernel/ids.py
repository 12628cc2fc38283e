"""Identifiers: UUIDv7, so that ids sort by the moment they were made.

Source: RFC 9562, section 5.7; within one process ids of one millisecond still rise (method 1).
"""

from __future__ import annotations

import os
import threading
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TAIL = 10
# One call for the random parts of many ids: the call costs more than the rest of an id.
_POOL = 128 * _TAIL
_lock = threading.Lock()
_last: list[int] = [0, 0]
_pool: list[bytes] = []


def new_id(now: datetime) -> str:
    """Return a UUIDv7 text for that moment; ids made later in this process sort after it."""
    milliseconds = _milliseconds(now)
    with _lock:
        if not _pool:
            many = os.urandom(_POOL)
            _pool.extend(many[at : at + _TAIL] for at in range(0, _POOL, _TAIL))
        random = int.from_bytes(_pool.pop(), "big")
        if milliseconds > _last[0]:
            _last[0] = milliseconds
            _last[1] = random >> 70
        else:
            _last[1] += 1
            if _last[1] > 0xFFF:
                _last[0] += 1
                _last[1] = 0
        milliseconds, counter = _last
    tail = random & 0x3FFFFFFFFFFFFFFF
    value = milliseconds << 80 | 0x7 << 76 | counter << 64 | 0b10 << 62 | tail
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def first_id(moment: datetime) -> str:
    """Return what ids made from that moment on do not sort before."""
    text = f"{_milliseconds(moment):012x}"
    return f"{text[:8]}-{text[8:]}"


def made_at(text: str) -> datetime:
    """Return when an id was made, by the millisecond. Raises ValueError for what is no id."""
    return _EPOCH + timedelta(milliseconds=int(text[:8] + text[9:13], 16))


def _milliseconds(moment: datetime) -> int:
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000


def _forget() -> None:
    """Drop the random parts in stock: a forked process must not use its parent's."""
    _pool.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
