"""How many requests may go to one mailbox, or to one tenant's service, and from when on.

A budget holds three things: slots (how many at once), a window (how many in ten minutes), a fence
(none before the moment that a Retry-After named). A fence lets nothing pass and cancels nothing.
A service throttles the whole of one user, so the tenant's budget and the reserved share have one
fence; what is reserved passes it first.
Sources: Graph's service-specific throttling limits; Dataverse's service protection API limits.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass

from cloud.waits import Jitter, random_jitter, setback_seconds
from kernel.clock import Clock

# A bucket is a sixtieth of the window: the count errs by that share at most, on the safe side.
_BUCKETS = 60
# Budgets of mailboxes that nobody asks for any more are forgotten beyond this many.
_KEPT_MAX = 4096


@dataclass(frozen=True, slots=True)
class Limits:
    """What one scope bears; the last `urgent_slots` and `urgent_requests` are for urgent calls."""

    slots: int
    urgent_slots: int
    requests: int | None = None
    urgent_requests: int = 0
    window_seconds: float = 600.0
    slots_most: int = 52


# Graph allows 4 at once and 10,000 in 10 minutes per app and mailbox; a few are left unspent.
MAILBOX_LIMITS = Limits(slots=3, urgent_slots=1, requests=9_000, urgent_requests=600)
# Identity calls cost resource units, which only the answers tell; the fence does the rest.
DIRECTORY_LIMITS = Limits(slots=16, urgent_slots=8)
# 6,000 in 300 s per user and web server; `x-ms-dop-hint` moves the slots.
DATAVERSE_LIMITS = Limits(
    slots=8, urgent_slots=4, requests=4_400, urgent_requests=800, window_seconds=300.0
)
TENANT = "tenant"
# What belongs to the watch alone: however much decisions and mails ask for, it goes on looking.
RESERVED = "reserved"
# A fence that the watch waits for too, all else passes so much later: the first room that a
# throttling service has again is the watch's.
HEAD_START_SECONDS = 2.0
RESERVED_DATAVERSE_LIMITS = Limits(
    slots=2, urgent_slots=0, requests=600, window_seconds=300.0, slots_most=4
)
RESERVED_DIRECTORY_LIMITS = Limits(slots=4, urgent_slots=0)


class TooLate(Exception):
    """The budget cannot be entered before the deadline; `wait_seconds` is how long it takes."""

    def __init__(self, wait_seconds: float) -> None:
        super().__init__(f"{wait_seconds:.1f} s")
        self.wait_seconds = wait_seconds


class Window:
    """A sliding count of requests in sixty buckets, so that a mailbox costs little memory."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._width = seconds / _BUCKETS
        self._buckets: deque[tuple[int, int]] = deque()
        self._total = 0

    def count(self, now: float) -> None:
        """Count one request at that moment."""
        index = int(now // self._width)
        if self._buckets and self._buckets[-1][0] == index:
            self._buckets[-1] = (index, self._buckets[-1][1] + 1)
        else:
            self._buckets.append((index, 1))
        self._total += 1

    def wait_seconds(self, now: float, limit: int) -> float:
        """Return how long until one more request stays within the limit; 0 when it does now."""
        while self._buckets and self._leaves_at(self._buckets[0][0]) <= now:
            self._total -= self._buckets.popleft()[1]
        left = self._total
        for index, requests in self._buckets:
            if left < limit:
                break
            left -= requests
            if left < limit:
                return self._leaves_at(index) - now
        return 0.0

    def is_empty(self, now: float) -> bool:
        """Tell whether no request is within the window any more."""
        self.wait_seconds(now, 1)
        return not self._buckets

    def _leaves_at(self, index: int) -> float:
        return (index + 1) * self._width + self._seconds


@dataclass(slots=True)
class Fence:
    """Until when (monotonic seconds) a service lets nobody pass whose requests it counts together.

    `is_awaited` says that somebody waits for its end to whom others give way.
    """

    until: float = float("-inf")
    is_awaited: bool = False

    def wait_seconds(self, now: float, *, gives_way: bool) -> float:
        """Return how long it is closed for somebody."""
        head_start = HEAD_START_SECONDS if gives_way and self.is_awaited else 0.0
        return max(0.0, self.until + head_start - now)

    def note_waiting(self, now: float, *, gives_way: bool) -> None:
        """Let it be known that somebody waits for its end."""
        if not gives_way and self.until > now:
            self.is_awaited = True

    def close(self, now: float, until: float) -> None:
        """Let nobody pass before that moment; it only ever moves forward."""
        if self.until <= now:
            self.is_awaited = False
        self.until = max(self.until, until)


@dataclass(slots=True, eq=False)
class _Waiter:
    urgent: bool
    granted: asyncio.Future[None]


class Budget:
    """The share of one scope: enter before each attempt, leave after it.

    Several may have one fence; those that give way pass it after the others.
    """

    def __init__(
        self,
        limits: Limits,
        clock: Clock,
        *,
        fence: Fence | None = None,
        gives_way: bool = False,
        jitter: Jitter = random_jitter,
    ) -> None:
        self._limits = limits
        self._clock = clock
        self._jitter = jitter
        self._target = limits.slots
        self._slots = float(limits.slots)
        self._in_flight = 0
        self._waiting: deque[_Waiter] = deque()
        self._fence = fence if fence is not None else Fence()
        self._gives_way = gives_way
        self._told_until = float("-inf")
        self._setbacks = 0
        self._window = Window(limits.window_seconds)

    @property
    def in_flight(self) -> int:
        """How many attempts are under way."""
        return self._in_flight

    async def enter(self, *, urgent: bool, give_up_at: float) -> None:
        """Wait for the fence, the window and a slot, then hold the slot until `leave`.

        Raises TooLate when that is not before `give_up_at` (monotonic seconds).
        """
        while True:
            wait = self.wait_seconds(urgent=urgent)
            if wait > 0.0:
                self._fence.note_waiting(self._clock.monotonic(), gives_way=self._gives_way)
                if self._clock.monotonic() + wait >= give_up_at:
                    raise TooLate(wait)
                await self._clock.sleep(wait)
                continue
            await self._take_slot(urgent=urgent, give_up_at=give_up_at)
            # The fence may have been raised while we queued for the slot.
            if self.wait_seconds(urgent=urgent) <= 0.0:
                self._window.count(self._clock.monotonic())
                return
            self.leave()

    def leave(self) -> None:
        """Give the slot back; the first who waits, urgent ones before others, gets it."""
        self._in_flight -= 1
        self._grant()

    def wait_seconds(self, *, urgent: bool = False) -> float:
        """Return how long the fence and the window keep everybody waiting; 0 when they do not."""
        now = self._clock.monotonic()
        wait = self._fence.wait_seconds(now, gives_way=self._gives_way)
        if self._limits.requests is not None:
            limit = self._limits.requests + (self._limits.urgent_requests if urgent else 0)
            wait = max(wait, self._window.wait_seconds(now, limit))
        return wait

    def raise_fence(self, seconds: float) -> None:
        """Let nothing pass for that many seconds, and half as many at once afterwards.

        A fence only ever moves forward, and the answers of one burst halve only once. What has the
        same fence keeps its slots: whoever is throttled too is told so.
        """
        now = self._clock.monotonic()
        if self._told_until <= now:
            self._slots = max(1.0, self._slots / 2)
        self._told_until = max(self._told_until, now + seconds)
        self._fence.close(now, now + seconds)
        self._fence.note_waiting(now, gives_way=self._gives_way)

    def heed_slots(self, hint: int) -> None:
        """Take the service's own advice on how many at once, within our bounds."""
        self._target = max(1, min(hint, self._limits.slots_most))
        self._slots = float(self._target)
        self._grant()

    def setback(self) -> float:
        """Count a call that failed for good; return how long its caller should stay away."""
        self._setbacks += 1
        return setback_seconds(self._setbacks, self._jitter)

    def succeeded(self) -> None:
        """Forget the setbacks, and let the slots grow back by one for a round of successes."""
        self._setbacks = 0
        if self._slots < self._target:
            self._slots = min(float(self._target), self._slots + 1.0 / self._slots)
            self._grant()

    def is_idle(self) -> bool:
        """Tell whether forgetting this budget would change nothing."""
        now = self._clock.monotonic()
        busy = self._in_flight or self._waiting or self._told_until > now or self._setbacks
        busy = busy or self._slots < self._target
        return not busy and self._window.is_empty(now)

    def _cap(self, *, urgent: bool) -> int:
        return int(self._slots) + (self._limits.urgent_slots if urgent else 0)

    async def _take_slot(self, *, urgent: bool, give_up_at: float) -> None:
        if not self._waiting and self._in_flight < self._cap(urgent=urgent):
            self._in_flight += 1
            return
        waiter = _Waiter(urgent, asyncio.get_running_loop().create_future())
        self._waiting.append(waiter)
        self._grant()
        try:
            async with asyncio.timeout(max(0.0, give_up_at - self._clock.monotonic())):
                await waiter.granted
        except BaseException as error:
            self._forget(waiter)
            if isinstance(error, TimeoutError):
                raise TooLate(self._limits.window_seconds / _BUCKETS) from None
            raise

    def _forget(self, waiter: _Waiter) -> None:
        if waiter in self._waiting:
            self._waiting.remove(waiter)
        elif waiter.granted.done() and not waiter.granted.cancelled():
            self.leave()  # The slot was granted in the moment in which its waiter gave up.

    def _grant(self) -> None:
        for urgent in (True, False):
            for waiter in [w for w in self._waiting if w.urgent is urgent]:
                if self._in_flight >= self._cap(urgent=urgent):
                    break
                self._waiting.remove(waiter)
                if not waiter.granted.done():
                    self._in_flight += 1
                    waiter.granted.set_result(None)


class Budgets:
    """Every budget in use, by service and scope; idle ones are forgotten.

    The tenant's and the reserved one of a service have its fence; any other has its own.
    """

    def __init__(self, clock: Clock, *, jitter: Jitter = random_jitter) -> None:
        self._clock = clock
        self._jitter = jitter
        self._by_key: dict[tuple[str, str], Budget] = {}
        self._fences: dict[str, Fence] = {}
        self._sweep_at = _KEPT_MAX

    def closed(self) -> dict[tuple[str, str], float]:
        """Return for how many seconds a service's common budgets let nobody pass, those that do.

        Keyed by service and scope, the tenant's or the reserved one; an urgent call waits so long.
        """
        found = {}
        for service in self._fences:
            for scope in (TENANT, RESERVED):
                budget = self._by_key.get((service, scope))
                seconds = budget.wait_seconds(urgent=True) if budget is not None else 0.0
                if seconds > 0.0:
                    found[service, scope] = seconds
        return found

    def of(self, service: str, scope: str, limits: Limits) -> Budget:
        """Return the budget of that scope, made when it is asked for first."""
        key = (service, scope)
        budget = self._by_key.get(key)
        if budget is None:
            if len(self._by_key) >= self._sweep_at:
                self._by_key = {k: b for k, b in self._by_key.items() if not b.is_idle()}
                self._sweep_at = max(_KEPT_MAX, 2 * len(self._by_key))
            is_common = scope in (TENANT, RESERVED)
            budget = self._by_key[key] = Budget(
                limits,
                self._clock,
                fence=self._fences.setdefault(service, Fence()) if is_common else None,
                gives_way=scope == TENANT,
                jitter=self._jitter,
            )
        return budget
