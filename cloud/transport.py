"""A call goes out and an answer comes back: the one place that waits, repeats and gives up.

Law 11: every call has a deadline and a class. A read and a keyed write are repeated within the
deadline, a send never. Beyond it: Throttled or Unreachable (nothing happened) or Unknown (a write
may have happened), each with the moment before which nobody should try again.

The order before each attempt is fixed: fence, window and slot of the budget, then the token, then
the permit, then at once the request.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from urllib.parse import unquote, urlsplit

import httpx

from cloud.access import AccessHook, LoggedRequest, kind_of, mailbox_of
from cloud.budgets import (
    DATAVERSE_LIMITS,
    DIRECTORY_LIMITS,
    MAILBOX_LIMITS,
    RESERVED,
    RESERVED_DATAVERSE_LIMITS,
    RESERVED_DIRECTORY_LIMITS,
    TENANT,
    Budget,
    Budgets,
    TooLate,
)
from cloud.call import Answer, Call, CallClass, Permit
from cloud.classify import envelope_of, error_of, excerpt_of
from cloud.errors import (
    BadAnswer,
    CloudError,
    ForeignLink,
    Throttled,
    TokenUnavailable,
    Unknown,
    Unreachable,
    WebhookRejected,
)
from cloud.origins import Service, origin_of
from cloud.tokens import Tokens
from cloud.waits import Jitter, random_jitter, repeat_seconds, retry_after_seconds
from cloud.wire import (
    WIRE_ERRORS,
    aiohttp_wire,
    is_untrusted,
    never_left,
    open_client,
    read_bounded,
)
from kernel.approvals import PERMIT_SECONDS
from kernel.clock import Clock
from kernel.errors import Bug
from kernel.failpoints import NONE, Failpoints
from kernel.log import get_logger

USER_AGENT = "MailboxGuard/1"
ATTEMPTS_MAX = 10
# After one of these the same request may succeed; 408 is a gateway's own time-out. Only throttling
# says that the request was not carried out.
# 509 is what Exchange answers to too many bytes.
_THROTTLING = frozenset({429, 509})
_STUMBLING = frozenset({500, 504})
_REPEATABLE = frozenset({408, 502, 503, *_THROTTLING, *_STUMBLING})
_THROTTLE_WITHOUT_ADVICE_SECONDS = 5.0

_NO_ANSWER_HINT = "Check MAILBOX_GUARD_GRAPH_URL, _DATAVERSE_URL, _CA_BUNDLE_FILE and the network."

_log = get_logger("cloud")


@dataclass(slots=True)
class _Progress:
    """What one `send` has been through so far."""

    give_up_at: float
    attempts: int = 0
    failures: int = 0
    stumbles: int = 0
    unsure: bool = False
    renewed: bool = False


@dataclass(frozen=True, slots=True)
class _Setback:
    """An attempt that gave no answer to return: why, how long to wait, what it may have done."""

    told: str
    wait_seconds: float
    throttled: bool = False
    may_have_happened: bool = False
    final: bool = False
    answer: Answer | None = None


class Transport:
    """Every request to a Microsoft service goes through one of these.

    `services` are the only origins that are ever contacted, each with its own token scope.
    `wire` replaces the network (httpx.MockTransport in tests); without it, aiohttp under httpx.
    Belongs to one event loop. Close it with `aclose`.
    """

    def __init__(
        self,
        services: Collection[Service],
        tokens: Tokens,
        *,
        clock: Clock,
        ca_bundle_file: str | None = None,
        wire: httpx.AsyncBaseTransport | None = None,
        on_access: AccessHook | None = None,
        failpoints: Failpoints = NONE,
        user_agent: str = USER_AGENT,
        jitter: Jitter = random_jitter,
        new_request_id: Callable[[], str] = lambda: str(uuid.uuid4()),
    ) -> None:
        self._services = tuple(services)
        self._tokens = tokens
        self._clock = clock
        self._client = open_client(wire or aiohttp_wire(ca_bundle_file), user_agent=user_agent)
        self._on_access = on_access
        self._failpoints = failpoints
        self._jitter = jitter
        self._new_request_id = new_request_id
        self._budgets = Budgets(clock, jitter=jitter)

    def now(self) -> datetime:
        """Return the transport's present moment: an `until` that asks for no wait."""
        return self._clock.now()

    def closed(self) -> dict[tuple[str, str], float]:
        """Return for how many seconds a service is asked for nothing: see Budgets.closed."""
        return self._budgets.closed()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def send(self, call: Call, *, permit: Permit | None = None) -> Answer:
        """Carry out the call and return its answer: any 2xx, or a status that the call accepts.

        Raises Throttled, Unreachable or Unknown with `until` when the deadline comes first,
        another CloudError for an answer that is an error, and whatever `permit` raises. Raises Bug
        for a mailbox access without a permit, and ForeignLink for an origin that is not configured.
        """
        service = self._service_of(call)
        mailbox = mailbox_of(call.url, service)
        if permit is not None and service.name == "graph":
            mailbox = mailbox or call.budget or "unknown"
        if mailbox and permit is None:
            raise Bug(f"A mailbox access needs a permit: {call.reason or call.method}")
        budget = self._budget_of(call, service, mailbox)
        progress = _Progress(give_up_at=self._clock.monotonic() + call.deadline_seconds)
        while True:
            try:
                await budget.enter(urgent=call.urgent, give_up_at=progress.give_up_at)
            except TooLate as late:
                raise self._postponed(call, budget, progress, _waiting(late.wait_seconds)) from None
            try:
                outcome = await self._attempt(call, service, mailbox, permit, progress)
            finally:
                budget.leave()
            if isinstance(outcome, Answer):
                outcome = await self._judged(call, service, budget, progress, outcome)
            if isinstance(outcome, Answer):
                budget.succeeded()
                return outcome
            await self._wait_or_give_up(call, budget, progress, outcome)

    async def _attempt(
        self,
        call: Call,
        service: Service,
        mailbox: str,
        permit: Permit | None,
        progress: _Progress,
    ) -> Answer | _Setback:
        try:
            token = await self._token(service, progress)
        except TokenUnavailable as error:
            return self._no_token(progress, error)
        if token is None:
            return _Setback("no token came in time", 0.0, final=True)
        connect_seconds = await self._permitted(permit, progress)
        left = progress.give_up_at - self._clock.monotonic()
        if left <= 0.0 or connect_seconds <= 0.0:
            return _Setback("the deadline came before the request could start", 0.0, final=True)
        progress.attempts += 1
        request_id = self._new_request_id()
        request = self._request(call, token, request_id, min(connect_seconds, left), left)
        began_at, began = self._clock.now(), self._clock.monotonic()
        answer: Answer | None = None
        try:
            self._reach(call, "before-send")
            async with asyncio.timeout(left):
                answer = await self._exchange(request, request_id)
            self._reach(call, "after-send")
        except WIRE_ERRORS as error:
            return self._lost(call, progress, error)
        finally:
            if self._on_access is not None:
                self._on_access(
                    LoggedRequest(
                        kind=kind_of(mailbox, service),
                        mailbox=mailbox,
                        method=call.method,
                        path=request.url.path,
                        reason=call.reason,
                        at=began_at,
                        seconds=self._clock.monotonic() - began,
                        attempt=progress.attempts,
                        status=answer.status if answer else None,
                        client_request_id=request_id,
                        request_id=answer.request_id if answer else "",
                    )
                )
        return answer

    async def _exchange(self, request: httpx.Request, request_id: str) -> Answer:
        response = await self._client.send(request, stream=True)
        try:
            body = await read_bounded(response)
        finally:
            await response.aclose()
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status_code, headers, body, client_request_id=request_id)

    async def _token(
        self, service: Service, progress: _Progress, *, renew: bool = False
    ) -> str | None:
        left = progress.give_up_at - self._clock.monotonic()
        source = self._tokens.renew if renew else self._tokens.get
        try:
            async with asyncio.timeout(max(0.0, left)):
                return await source(service.scope)
        except TimeoutError:
            return None

    def _no_token(self, progress: _Progress, error: TokenUnavailable) -> _Setback:
        wait = repeat_seconds(progress.failures + 1, self._jitter)
        return _Setback(f"no token: {error.message}", wait)

    async def _permitted(self, permit: Permit | None, progress: _Progress) -> float:
        """Return how many seconds are left to start the request in; asks until there are some."""
        if permit is None:
            return progress.give_up_at - self._clock.monotonic()
        while True:
            asked_at = self._clock.monotonic()
            try:
                async with asyncio.timeout(max(0.0, progress.give_up_at - asked_at)):
                    await permit()
            except TimeoutError:
                return 0.0
            left = PERMIT_SECONDS - (self._clock.monotonic() - asked_at)
            if left > 0.0 or self._clock.monotonic() >= progress.give_up_at:
                return left

    def _request(
        self, call: Call, token: str, request_id: str, connect_seconds: float, left: float
    ) -> httpx.Request:
        headers = {name: value for name, value in call.headers.items()}
        headers["Authorization"] = f"Bearer {token}"
        headers["client-request-id"] = request_id
        content = call.content
        if call.json is not None:
            headers.setdefault("Content-Type", "application/json; charset=utf-8")
            content = json.dumps(call.json, ensure_ascii=False).encode()
        # A connection that takes longer than the permit lasts is given up, and asked for anew.
        timeout = httpx.Timeout(left, connect=connect_seconds, pool=connect_seconds)
        return self._client.build_request(
            call.method, call.url, headers=headers, content=content, timeout=timeout
        )

    async def _judged(
        self, call: Call, service: Service, budget: Budget, progress: _Progress, answer: Answer
    ) -> Answer | _Setback:
        """Return the answer to hand over, or the setback that it is; raises any other error."""
        self._heed_hint(service, budget, answer)
        status = answer.status
        if status in call.accept or 200 <= status < 300:
            return replace(answer, unsure=progress.unsure)
        if status == 401 and not progress.renewed:
            progress.renewed = True
            try:
                await self._token(service, progress, renew=True)
            except TokenUnavailable as error:
                return self._no_token(progress, error)
            return _Setback("the token was refused and has been renewed", 0.0, answer=answer)
        if status < 400:
            raise self._unusable(call, answer)
        wrong = error_of(call, answer)
        # A webhook that stops a write rolls it back, whatever the status: that outcome is known.
        if status in _REPEATABLE and not isinstance(wrong, WebhookRejected):
            return self._passing(call, budget, progress, answer)
        raise wrong

    def _passing(self, call: Call, budget: Budget, progress: _Progress, answer: Answer) -> _Setback:
        """Return the setback of a throttling or a 5xx, and raise the fence where it says so."""
        advised = retry_after_seconds(answer.headers, self._clock.now())
        is_throttling = answer.status in _THROTTLING
        wait = repeat_seconds(progress.failures + 1, self._jitter)
        if is_throttling and advised is None:
            wait = max(wait, _THROTTLE_WITHOUT_ADVICE_SECONDS)
        elif advised is not None:
            wait = max(wait, advised)
        if is_throttling or (answer.status == 503 and advised is not None):
            budget.raise_fence(wait)
            _log.info("scope_fenced", status=answer.status, seconds=wait, reason=call.reason)
        progress.stumbles += answer.status in _STUMBLING
        most = call.stumbles_most
        return _Setback(
            f"the service answered {answer.status}",
            wait,
            throttled=is_throttling,
            may_have_happened=not is_throttling,
            final=most is not None and progress.stumbles >= most,
            answer=answer,
        )

    async def _wait_or_give_up(
        self, call: Call, budget: Budget, progress: _Progress, setback: _Setback
    ) -> None:
        progress.failures += 1
        is_write = call.call_class is not CallClass.READ
        progress.unsure = progress.unsure or (is_write and setback.may_have_happened)
        now = self._clock.monotonic()
        repeatable = call.call_class is not CallClass.SEND and progress.attempts < ATTEMPTS_MAX
        if setback.final or not repeatable or now + setback.wait_seconds >= progress.give_up_at:
            raise self._postponed(call, budget, progress, setback)
        if setback.wait_seconds > 0.0:
            await self._clock.sleep(setback.wait_seconds)

    def _postponed(
        self, call: Call, budget: Budget, progress: _Progress, setback: _Setback
    ) -> CloudError:
        """Return the error that ends a call whose deadline, or whose class, allows no repeat."""
        kind: type[Throttled | Unreachable | Unknown] = (
            Unknown if progress.unsure else Throttled if setback.throttled else Unreachable
        )
        seconds = max(setback.wait_seconds, budget.wait_seconds(urgent=call.urgent))
        if not setback.throttled:
            seconds = max(seconds, budget.setback())
        answer = setback.answer
        envelope = envelope_of(answer.body) if answer else None
        return kind(
            f"{call.reason or call.method}: {setback.told}, {_after(progress.attempts)}.",
            hint=None if answer or setback.throttled else _NO_ANSWER_HINT,
            until=self._clock.now() + timedelta(seconds=seconds),
            status=answer.status if answer else None,
            service_code=envelope.code if envelope else "",
            request_id=answer.request_id if answer else "",
            client_request_id=answer.client_request_id if answer else "",
            excerpt=excerpt_of(envelope.message) if envelope else "",
        )

    def _lost(self, call: Call, progress: _Progress, error: Exception) -> _Setback:
        told = str(error) or type(error).__name__
        return _Setback(
            f"the connection failed ({excerpt_of(told)[:200]})",
            repeat_seconds(progress.failures + 1, self._jitter),
            may_have_happened=call.call_class is not CallClass.READ and not never_left(error),
            final=is_untrusted(error),
        )

    def _unusable(self, call: Call, answer: Answer) -> BadAnswer:
        return BadAnswer(
            f"{call.reason or call.method}: the service answered {answer.status}, "
            "which is not followed.",
            hint="Check that the URL setting points at the service itself.",
            status=answer.status,
            request_id=answer.request_id,
            client_request_id=answer.client_request_id,
        )

    def _heed_hint(self, service: Service, budget: Budget, answer: Answer) -> None:
        hint = answer.headers.get("x-ms-dop-hint", "")
        if service.name == "dataverse" and hint.isdecimal() and len(hint) < 5:
            budget.heed_slots(int(hint))

    def _reach(self, call: Call, point: str) -> None:
        if call.failpoint is not None:
            self._failpoints.reach(call.failpoint, point)

    def _budget_of(self, call: Call, service: Service, mailbox: str) -> Budget:
        scope, is_reserved = call.budget or TENANT, call.budget == RESERVED
        if service.name == "dataverse":
            limits = RESERVED_DATAVERSE_LIMITS if is_reserved else DATAVERSE_LIMITS
        elif mailbox:
            scope, limits = mailbox.lower(), MAILBOX_LIMITS
        else:
            limits = RESERVED_DIRECTORY_LIMITS if is_reserved else DIRECTORY_LIMITS
        return self._budgets.of(service.name, scope, limits)

    def _service_of(self, call: Call) -> Service:
        """Return the service that the URL belongs to; its origin and scope must be configured."""
        origin = _origin_on_the_wire(call.url)
        same = [service for service in self._services if service.origin == origin]
        inside = [s for s in same if call.url.lower().startswith(s.base_url.lower() + "/")]
        found = (inside or same)[:1]
        if not found:
            raise ForeignLink(
                f"{call.reason or call.method}: {origin or 'this URL'} is no configured service, "
                "or its path climbs.",
                hint="No token leaves for another origin; check the URL settings.",
            )
        if call.scope and call.scope != found[0].scope:
            raise Bug(f"A token for {call.scope} is not sent to {origin}.")
        return found[0]


def _after(attempts: int) -> str:
    return "after 1 attempt" if attempts == 1 else f"after {attempts} attempts"


def _waiting(seconds: float) -> _Setback:
    return _Setback("the service asks to wait", seconds, throttled=True)


def _origin_on_the_wire(url: str) -> str:
    """Return the origin as the HTTP client reads the URL; empty for one that is not to be sent.

    A path that climbs is judged as one mailbox here and, once httpx has resolved it, is another.
    """
    try:
        parsed = httpx.URL(url)
        path = unquote(urlsplit(url).path)
    except (httpx.InvalidURL, ValueError):
        return ""
    climbs = any(part in (".", "..") for part in path.split("/"))
    return "" if climbs else origin_of(str(parsed))
