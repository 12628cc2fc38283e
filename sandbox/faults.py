"""Planned failures: what the next matching requests are answered instead of the truth."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import Response


@dataclass(slots=True)
class PlannedFault:
    """An answer for requests that match; `after` does the work first and then lies about it.

    `contains` is a piece of the URL; `pattern` a regular expression over the method, a blank, and
    the path with its query.
    """

    origin: str
    contains: str
    status: int
    pattern: str = ""
    method: str | None = None
    body: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    times: int = 1
    after: bool = False

    def response(self) -> Response:
        """Return the planned answer."""
        content = json.dumps(self.body) if self.body is not None else ""
        headers = {"Content-Type": "application/json", **self.headers}
        return Response(content, status_code=self.status, headers=headers)


class FaultPlan:
    """The failures that are still to come."""

    def __init__(self) -> None:
        self._planned: list[PlannedFault] = []

    def add(self, fault: PlannedFault) -> None:
        """Plan a failure."""
        self._planned.append(fault)

    def clear(self) -> None:
        """Plan nothing any more."""
        self._planned.clear()

    def match(self, origin: str, method: str, url: str) -> PlannedFault | None:
        """Return the failure that meets this request, and count it."""
        for fault in self._planned:
            if fault.origin != origin or fault.method not in (None, method):
                continue
            if fault.times > 0 and _meets(fault, method, url):
                fault.times -= 1
                return fault
        return None


def _meets(fault: PlannedFault, method: str, url: str) -> bool:
    if fault.contains.casefold() not in url.casefold():
        return False
    path = "/" + url.partition("://")[2].partition("/")[2]
    return not fault.pattern or re.search(fault.pattern, f"{method} {path}") is not None
