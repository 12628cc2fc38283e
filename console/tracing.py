"""Tracing by OpenTelemetry, for whoever sets a collector: where the time of a delivery goes.

Off, nothing of it is imported and a delivery goes no other way than without it: what is traced is
wrapped where parts are put together. Spans, each with its attributes, none of which holds an
address, a name, or an id of a row or a person:

    delivery            from the first byte to the last of the answer: status
    decide              until the decision is made: decision, cause, table, source of the record
    record              until it is durable: whether it is a repeat
    obligation          one attempt at a task: kind, attempts, outcome
    remote call         one request to a service: service, method, status, attempt
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from contextlib import AbstractContextManager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

from kernel.errors import SettingInvalid
from kernel.settings import PREFIX

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span

    from cloud.access import LoggedRequest
    from guard.ledger.entry import Entry, Recorded
    from guard.ledger.port import Ledger
    from kernel.tasks import Task
    from kernel.workers import Handler, TaskOutcome

SERVICE: Final = "mailbox-guard"
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

# When the delivery that is being decided began, in nanoseconds.
_began: ContextVar[int | None] = ContextVar("delivery_began", default=None)


def open_tracing(endpoint: str) -> Tracing | None:
    """Return the tracing of an endpoint of OTLP over HTTP; None where none is set.

    Raises SettingInvalid when the extra `tracing` is not installed.
    """
    if not endpoint:
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        raise SettingInvalid(
            f"{PREFIX}TRACING_ENDPOINT is set, and the extra `tracing` is not installed.",
            hint="Install mailbox-guard[tracing], or unset it.",
        ) from None
    provider = TracerProvider(resource=Resource.create({"service.name": SERVICE}))
    exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return Tracing(provider)


class Tracing:
    """Wraps the parts of a process so that what they do becomes spans of this provider."""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer(SERVICE)

    def around(self, webhook: Application) -> Application:
        """Return the receiver, each of whose deliveries is a span."""

        async def traced(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
            token = _began.set(time.time_ns())
            with self._started("delivery") as span:

                async def sent(message: Message) -> None:
                    if message["type"] == "http.response.start":
                        span.set_attribute("http.response.status_code", message["status"])
                    await send(message)

                try:
                    await webhook(scope, receive, sent)
                finally:
                    _began.reset(token)

        return traced

    def ledger(self, ledger: Ledger) -> Ledger:
        """Return the ledger, whose recordings are spans; of a delivery also the way to them."""
        return _TracedLedger(ledger, self)

    def handlers(self, handlers: Mapping[str, Handler]) -> dict[str, Handler]:
        """Return the handlers of tasks, each of whose attempts is a span."""
        return {kind: self._handler(one) for kind, one in handlers.items()}

    def _handler(self, handler: Handler) -> Handler:
        async def traced(task: Task) -> TaskOutcome:
            with self._started("obligation") as span:
                span.set_attributes({"task.kind": task.kind, "task.attempts": task.attempts})
                outcome = await handler(task)
                span.set_attribute("task.outcome", type(outcome).__name__.lower())
                return outcome

        return traced

    def note(self, request: LoggedRequest) -> None:
        """Make a span of a request that has ended, inside of whatever asked for it."""
        ended = time.time_ns()
        span = self._tracer.start_span(
            "remote call",
            start_time=ended - int(request.seconds * 1e9),
            attributes={
                "service": request.kind,
                "http.request.method": request.method,
                "http.response.status_code": request.status or 0,
                "attempt": request.attempt,
            },
        )
        span.end(ended)

    def decided(self, entry: Entry) -> None:
        """Make a span of what led to a decision, if a delivery did."""
        began = _began.get()
        if began is None:
            return
        span = self._tracer.start_span(
            "decide",
            start_time=began,
            attributes={
                "decision": entry.decision,
                "cause": entry.cause,
                "table": entry.table,
                "source": str(entry.public.get("source", "")),
            },
        )
        span.end()

    async def recorded(self, recording: Awaitable[Recorded]) -> Recorded:
        """Await a recording inside of a span."""
        with self._started("record") as span:
            found = await recording
            span.set_attribute("repeat", found.is_repeat)
            return found

    def _started(self, name: str) -> AbstractContextManager[Span]:
        # The text of an error may name a person, so none becomes part of a span.
        return self._tracer.start_as_current_span(
            name, record_exception=False, set_status_on_exception=False
        )

    def close(self) -> None:
        """Send what waits, for a few seconds at most."""
        self._provider.force_flush(3000)
        self._provider.shutdown()


class _TracedLedger:
    """A ledger that tells what it records; whatever else is asked of it the ledger answers."""

    def __init__(self, ledger: Ledger, tracing: Tracing) -> None:
        self._ledger = ledger
        self._tracing = tracing

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)

    def record(self, entry: Entry, **named: Any) -> Awaitable[Recorded]:
        """Make the decision durable (see `guard.ledger.port.Ledger`)."""
        self._tracing.decided(entry)
        return self._tracing.recorded(self._ledger.record(entry, **named))
