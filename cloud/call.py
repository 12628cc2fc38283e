"""One call to a service and its answer, as values; nothing here is sent."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any

from cloud.errors import BadAnswer
from kernel.errors import Bug
from kernel.failpoints import FAILPOINTS

Permit = Callable[[], Awaitable[None]]
"""Asked right before every attempt; raises when the access is no longer allowed."""


class CallClass(StrEnum):
    """What repeating a call would do."""

    READ = "read"
    """Harmless."""
    KEYED_WRITE = "keyed-write"
    """Harmless: a key, or a condition on the etag, makes the second write the same write."""
    SEND = "send"
    """Twice the effect, so it is never repeated."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request with everything the transport needs to carry it out.

    `scope` is the token scope and must be the one of the service that `url` belongs to; empty means
    that one. `budget` is an Exchange object id or "tenant". `accept` are statuses from 300 that
    are an answer here, not an error. `urgent` may use the reserved share of the budget.
    `stumbles_most` is how many times a service may fail inside (500, 504) before the call is given
    up; other setbacks are repeated until the deadline.
    Raises Bug for a write without a registered `failpoint`, or for a read that is not GET or HEAD.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    json: Any = None
    content: bytes | None = None
    call_class: CallClass = CallClass.READ
    deadline_seconds: float = 30.0
    scope: str = ""
    budget: str | None = None
    failpoint: str | None = None
    reason: str = ""
    accept: frozenset[int] = frozenset()
    urgent: bool = False
    stumbles_most: int | None = None

    def __post_init__(self) -> None:
        is_read_method = self.method.upper() in ("GET", "HEAD")
        if is_read_method != (self.call_class is CallClass.READ):
            raise Bug(f"{self.method} does not fit the call class `{self.call_class}`.")
        if not is_read_method and self.failpoint is None:
            raise Bug(f"{self.method} is a write without the name of its failpoint: {self.reason}")
        if self.failpoint is not None and self.failpoint not in FAILPOINTS:
            raise Bug(f"No failpoint is named {self.failpoint}: register it.")


@dataclass(frozen=True, slots=True)
class Answer:
    """What the service answered; header names are in lower case.

    `unsure` tells that an earlier attempt of the same write may have taken effect, so that a 412
    may be the answer to our own doing.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    client_request_id: str = ""
    unsure: bool = False

    @property
    def request_id(self) -> str:
        """The service's own id of the request: Graph's header, or Dataverse's."""
        return self.headers.get("request-id") or self.headers.get("x-ms-service-request-id", "")

    @property
    def answered_at(self) -> datetime | None:
        """When it was given, by the service's own clock: its `Date`, to the second."""
        try:
            said = parsedate_to_datetime(self.headers.get("date", ""))
        except ValueError:
            return None
        return said.astimezone(UTC) if said.tzinfo is not None else said.replace(tzinfo=UTC)

    def json(self) -> Any:
        """Return the body as JSON; raises BadAnswer when it is none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise BadAnswer(
                f"The service answered {self.status} with a body that is not JSON.",
                hint="Check that the URL setting points at the service and at no sign-in page.",
                status=self.status,
                request_id=self.request_id,
                client_request_id=self.client_request_id,
            ) from error

    def json_object(self) -> dict[str, Any]:
        """Return the body as a JSON object; raises BadAnswer when it is anything else."""
        value = self.json()
        if not isinstance(value, dict):
            raise BadAnswer(
                f"The service answered {self.status} with JSON that is not an object.",
                status=self.status,
                request_id=self.request_id,
                client_request_id=self.client_request_id,
            )
        return value
