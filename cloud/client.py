"""What the clients of the services share: whom they ask, how long they wait, who goes first."""

from __future__ import annotations

from typing import Any, Self

from cloud.budgets import RESERVED, TENANT
from cloud.call import Call
from cloud.origins import Service
from cloud.transport import Transport


class Client:
    """A client of one service; every call it makes has the same deadline and urgency."""

    def __init__(
        self,
        transport: Transport,
        service: Service,
        *,
        deadline_seconds: float = 60.0,
        urgent: bool = False,
        budget: str = TENANT,
    ) -> None:
        self._transport = transport
        self._service = service
        self._deadline_seconds = deadline_seconds
        self._urgent = urgent
        self._budget = budget

    def within(self, deadline_seconds: float, *, urgent: bool = True) -> Self:
        """Return the same client with another deadline for each call; urgent by default."""
        return type(self)(
            self._transport,
            self._service,
            deadline_seconds=deadline_seconds,
            urgent=urgent,
            budget=self._budget,
        )

    def apart(self) -> Self:
        """Return the same client with the share of the budget that nothing else can take."""
        return type(self)(
            self._transport,
            self._service,
            deadline_seconds=self._deadline_seconds,
            urgent=self._urgent,
            budget=RESERVED,
        )

    def _call(
        self, method: str, path_or_link: str, *, budget: str | None = None, **given: Any
    ) -> Call:
        """Return a call to a path of the service, or along a link that it gave."""
        is_path = path_or_link.startswith("/")
        return Call(
            method,
            self._service.base_url + path_or_link if is_path else path_or_link,
            deadline_seconds=self._deadline_seconds,
            scope=self._service.scope,
            urgent=self._urgent,
            budget=budget or self._budget,
            **given,
        )
