"""POST /webhooks/dataverse as a bare ASGI callable: the answer table of docs/answers.md.

Checked in the order size, key, readability. Never 3xx, never another 5xx than 503. The console
mounts it; no web framework is imported here.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from guard.answers import JSON, PROBLEM, answer_of, problem
from guard.bodies import Bodies, Crowded
from guard.errors import DeliveryUnreadable
from guard.intake import Intake, Taken
from guard.ledger.codec import text_of
from guard.ledger.entry import Recorded
from guard.ports.metrics import GuardMetrics
from guard.webhook_keys import WebhookKeys
from kernel.errors import Unavailable
from kernel.log import Sparing, get_logger

MOST_BYTES = 1024 * 1024
BODY_SECONDS = 30.0
STRANGERS_BODY_SECONDS = 5.0
SIZE_EXCEEDED = b"x-ms-dynamics-msg-size-exceeded"

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Readiness = Callable[[], str | None]

log = get_logger("guard")


def always_ready() -> str | None:
    """Say that nothing stands in the way."""
    return None


class _TooLarge(Exception):
    """The body is over the limit; the rest of it is not read."""


class _TooSlow(Exception):
    """The body doesn't come; whoever drips it gets no more of our time."""


class _Disconnected(Exception):
    """The caller is gone; nobody waits for an answer."""


class Webhook:
    """The receiver.

    `readiness` returns why the guard can't decide now, or None. `enforcement` observe answers 200
    to whatever is authenticated and readable.
    """

    def __init__(
        self,
        keys: WebhookKeys,
        intake: Intake,
        metrics: GuardMetrics,
        *,
        readiness: Readiness = always_ready,
        observes: bool = False,
    ) -> None:
        self._keys = keys
        self._intake = intake
        self._metrics = metrics
        self._readiness = readiness
        self._observes = observes
        self._sparing = Sparing()
        self._bodies = Bodies()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        began = time.perf_counter()
        try:
            recorded, answer = await self._answer(scope, receive)
        except _Disconnected:
            return
        status, kind, body = answer
        await _send(send, status, kind, body)
        self._metrics.answered(
            status=status,
            decision=recorded.decision if recorded else "",
            cause=recorded.cause if recorded else "",
            seconds=time.perf_counter() - began,
        )

    async def _answer(
        self, scope: Scope, receive: Receive
    ) -> tuple[Recorded | None, tuple[int, bytes, bytes]]:
        if scope["method"] != "POST":
            return None, self._told_refusal(405, None, because="Only POST is answered here.")
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        # The key stands in the head. Who has none is told so after the body, whose size counts
        # first; but nothing of that body is kept, and it is not waited for as long.
        has_key = self._keys.accept(scope["query_string"], headers)
        if has_key and (proven := scope.get("proven")) is not None:
            proven()
        seconds = BODY_SECONDS if has_key else STRANGERS_BODY_SECONDS
        try:
            _check_stated_length(headers)
            if (has_come := scope.get("has_come")) is not None and has_come():
                body = await _whole_body(receive, is_kept=has_key)
            else:
                body = await _coming_body(
                    receive, seconds=seconds, is_kept=has_key, bodies=self._bodies
                )
        except _TooLarge:
            return None, self._told_refusal(413, "It holds more than 1 MiB, which is the most.")
        except _TooSlow:
            slow = f"The body did not come within {seconds:g} seconds."
            return None, self._told_refusal(400, slow)
        except Crowded:
            return None, _refusal(503, "Too much of other bodies was under way.")
        if not has_key:
            mend = "Give the key as ?code=, as x-guard-key or as ?guard-key=."
            return None, self._told_refusal(401, mend, because="The key is wrong or missing.")
        size_exceeded = any(name == SIZE_EXCEEDED for name, _ in headers)
        try:
            decided = self._decided(self._intake.read(body, size_exceeded=size_exceeded))
        except DeliveryUnreadable as error:
            told = f"{error.message} {error.hint}" if error.hint else error.message
            return None, self._told_refusal(400, told, error_code=error.code)
        except Exception as error:
            # Our own fault, before anything is known of it: nothing was decided.
            log.error("delivery_not_read", exc_info=error)
            return None, _refusal(503, "The guard failed to read it; its log says why.")
        # What was read is `_decided`'s alone, which lets go of it before it waits for the ledger.
        del body
        return await decided

    async def _decided(self, taken: Taken) -> tuple[Recorded | None, tuple[int, bytes, bytes]]:
        record_id = taken[0].record_id
        reason = self._readiness()
        if reason is None:
            try:
                recording = await self._intake.take(taken)
                del taken
                recorded = await recording
            except Unavailable as error:
                reason = error.message
            except Exception as error:
                log.error("delivery_not_recorded", record_id=record_id, exc_info=error)
                reason = "The decision could not be recorded."
            else:
                return recorded, answer_of(recorded)
        log.error("delivery_not_decided", record_id=record_id, reason=reason)
        if self._observes:
            # Observing must never stand in anybody's way; nothing was decided, and it says so.
            nothing: dict[str, Any] = {
                "decision": None,
                "decision_id": None,
                "findings": [],
                "enforcement": "observe",
                "reason": reason,
            }
            return None, (200, JSON, text_of(nothing).encode())
        return None, _refusal(503, reason)

    def _told_refusal(
        self, status: int, detail: str | None, *, because: str | None = None, **more: str
    ) -> tuple[int, bytes, bytes]:
        """Return a refusal, and tell of it in the log: never which key came, nor what body."""
        told = {"status": status, "because": because or detail, **more}
        self._sparing.warn(log, "delivery_refused", kind=str(status), **told)
        return _refusal(status, detail)


def _check_stated_length(headers: list[tuple[bytes, bytes]]) -> None:
    """Raise _TooLarge for a length over the limit.

    It is believed only to refuse: what is read is counted all the same.
    """
    for name, value in headers:
        if name == b"content-length" and (len(value) > 12 or int(value) > MOST_BYTES):
            raise _TooLarge


async def _whole_body(receive: Receive, *, is_kept: bool) -> bytes:
    """Return a body that has come already, empty unless it is kept: nothing is waited for."""
    message = await receive()
    _check(message)
    body: bytes = message.get("body", b"")
    if len(body) > MOST_BYTES:
        raise _TooLarge
    return body if is_kept else b""


async def _coming_body(receive: Receive, *, seconds: float, is_kept: bool, bodies: Bodies) -> bytes:
    """Return the body, empty unless it is kept; no more is read than the limit allows.

    Raises _TooSlow when it did not come whole within that time, its first byte included, and
    Crowded when it had to make room for others before that.
    """
    patience = asyncio.timeout(seconds)
    body = bodies.begin(patience)
    size, has_more = 0, True
    try:
        async with patience:
            while has_more:
                message = await receive()
                _check(message)
                part: bytes = message.get("body", b"")
                size += len(part)
                if size > MOST_BYTES:
                    raise _TooLarge
                if is_kept:
                    bodies.keep(body, part)
                has_more = message.get("more_body", False)
    except TimeoutError:
        body.check()
        raise _TooSlow from None
    finally:
        bodies.end(body)
    return body.parts[0] if len(body.parts) == 1 else b"".join(body.parts)


def _check(message: MutableMapping[str, Any]) -> None:
    if message["type"] == "http.disconnect":
        raise _Disconnected


def _refusal(status: int, detail: str | None) -> tuple[int, bytes, bytes]:
    return status, PROBLEM, problem(status, detail)


async def _send(send: Send, status: int, kind: bytes, body: bytes) -> None:
    headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode())]
    if status in (400, 413):
        # The rest of a body may still be on the wire: the connection can't be used again.
        headers.append((b"connection", b"close"))
    if status == 405:
        headers.append((b"allow", b"POST"))
    if status == 503:
        headers.append((b"retry-after", b"1"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
