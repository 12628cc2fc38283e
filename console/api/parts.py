"""What the API is made of: the live parts of a serving process, handed in by the wiring."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from fastapi import Request
from fastapi.responses import Response

from console.sign_in.authentication import Authentication
from guard.obligations.obligation import Means
from kernel.clock import Clock
from kernel.database import Database
from kernel.settings import Settings
from rules.engine.policy_set import PolicySet

StateNow = Callable[[], Awaitable[dict[str, Any]]]


class PoliciesHeld(Protocol):
    """The policy set that decides now (console.policy_folder)."""

    loaded_at: datetime

    @property
    def current(self) -> PolicySet:
        """Return the set."""
        ...


@dataclass(frozen=True, slots=True)
class ApiParts:
    """Where the API reads and writes, what decides, and whom it knows.

    `anchor` writes a word down outside of the database. `means` are what obligations are carried
    out with; None where there is no guard, as in tests.
    """

    database: Database
    clock: Clock
    policies: PoliciesHeld
    settings: Settings
    readiness: StateNow
    knows: Authentication
    anchor: Callable[[], Awaitable[None]]
    version: str
    means: Means | None = None


def parts_of(request: Request) -> ApiParts:
    """Return the parts of the application that a request came to."""
    parts: ApiParts = request.app.state.parts
    return parts


def answer(value: Any, *, next_link: str | None = None) -> Response:
    """Return a value as JSON; what is text to a record, broken Unicode too, stays what it is."""
    headers = {"Link": f'<{next_link}>; rel="next"'} if next_link is not None else None
    return Response(
        json.dumps(value, separators=(",", ":"), default=str),
        media_type="application/json",
        headers=headers,
    )
