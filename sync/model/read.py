"""Reads: answers that held something of a mailbox, for the access log."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Read:
    """One answer that held something of a mailbox."""

    at: datetime
    operation: str
    item_count: int = 1
