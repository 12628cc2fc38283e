"""Which requests reach into a mailbox, and the record of every request that left."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import unquote, urlsplit

from cloud.origins import Service

# The parts of a mailbox by docs/contract.md, and the containers that Graph puts before them.
_MAILBOX_PARTS = (
    "messages|mailfolders|events|calendarview|calendars?|calendargroups|contacts|contactfolders"
    "|todo|sendmail|outlook"
)
_MAILBOX_PATH = re.compile(
    rf"/users(?:/(?P<plain>[^/()]+)|\('(?P<keyed>[^']+)'\))"
    rf"/(?:microsoft\.graph\.|graph\.)?(?:{_MAILBOX_PARTS})(?![a-z])",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class LoggedRequest:
    """One attempt that left for a service: what, why, when, and what came of it.

    `kind` is mailbox, directory (everything else of Graph) or rows (Dataverse). `mailbox` is the
    key in the path, empty unless kind is mailbox. `status` is None when no answer came.
    """

    kind: str
    mailbox: str
    method: str
    path: str
    reason: str
    at: datetime
    seconds: float
    attempt: int
    status: int | None
    client_request_id: str
    request_id: str


AccessHook = Callable[[LoggedRequest], None]


def mailbox_of(url: str, service: Service) -> str:
    """Return the key of the mailbox that a Graph URL reaches into; empty when it reaches into none.

    Segments may be in any case and in key syntax (`users('id')`), as links come back.
    """
    if service.name != "graph":
        return ""
    found = _MAILBOX_PATH.search(unquote(urlsplit(url).path))
    return (found["plain"] or found["keyed"]) if found else ""


def kind_of(mailbox: str, service: Service) -> str:
    """Return mailbox, directory or rows."""
    if service.name != "graph":
        return "rows"
    return "mailbox" if mailbox else "directory"
