"""How often somebody may try to sign in: a number of attempts that grows again with time."""

from __future__ import annotations

from collections import OrderedDict

from console.sign_in.refusals import TooManyAttempts
from kernel.clock import Clock

AT_ONCE = 20
PER_SECOND = 0.5
# Behind a proxy all people are one caller, and come together on a Monday morning.
SIGN_INS_AT_ONCE = 200
SIGN_INS_PER_SECOND = 5.0
_MOST_CALLERS = 1000


class Attempts:
    """So many attempts at once for each caller, and so many more each second.

    Of callers a bounded number is remembered; whoever is forgotten begins anew.
    """

    def __init__(
        self, clock: Clock, *, at_once: int = AT_ONCE, per_second: float = PER_SECOND
    ) -> None:
        self._clock = clock
        self._at_once = float(at_once)
        self._per_second = per_second
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def spend(self, caller: str) -> None:
        """Count one attempt. Raises TooManyAttempts when there were too many."""
        now = self._clock.monotonic()
        left, at = self._left.pop(caller, (self._at_once, now))
        left = min(self._at_once, left + (now - at) * self._per_second)
        self._left[caller] = (max(0.0, left - 1), now)
        if len(self._left) > _MOST_CALLERS:
            self._left.popitem(last=False)
        if left < 1:
            raise TooManyAttempts(
                "Too many attempts to sign in were made just now.", hint="Wait a minute."
            )
