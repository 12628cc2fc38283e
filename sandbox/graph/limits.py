"""Graph's limits for one application on one mailbox."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from kernel.clock import Clock
from sandbox.graph.problems import Problem

_WINDOW_SECONDS = 600


@dataclass(slots=True)
class Limits:
    """How much is allowed; switched off, everything is."""

    enabled: bool = True
    requests: int = 10_000
    concurrent: int = 4
    retry_after_seconds: int = 5


@dataclass(slots=True)
class _Use:
    began: deque[float] = field(default_factory=deque)
    running: int = 0


class Limiter:
    """Counts requests for each application and mailbox."""

    def __init__(self, clock: Clock, limits: Limits) -> None:
        self._clock, self.limits = clock, limits
        self._uses: dict[tuple[str, str], _Use] = {}

    def enter(self, app_id: str, mailbox: str) -> None:
        """Count a request that begins. Raises Problem (429) when it is one too many."""
        use = self._uses.setdefault((app_id, mailbox), _Use())
        now = self._clock.monotonic()
        while use.began and use.began[0] <= now - _WINDOW_SECONDS:
            use.began.popleft()
        use.began.append(now)
        use.running += 1
        if not self.limits.enabled:
            return
        if use.running > self.limits.concurrent:
            raise self._throttled("MailboxConcurrency")
        if len(use.began) > self.limits.requests:
            raise self._throttled("MailboxRequests")

    def leave(self, app_id: str, mailbox: str) -> None:
        """Count a request that ended."""
        self._uses[(app_id, mailbox)].running -= 1

    def _throttled(self, name: str) -> Problem:
        return Problem(
            429,
            "ApplicationThrottled",
            f"Application is over its {name} limit.",
            headers={"Retry-After": str(self.limits.retry_after_seconds)},
        )
