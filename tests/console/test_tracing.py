"""Spans tell where the time of a delivery goes, and nothing of the persons that it is about."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import MutableMapping
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from cloud.access import LoggedRequest
from console.tracing import Tracing, open_tracing
from guard.ledger.port import MemoryLedger
from kernel.clock import FrozenClock
from kernel.errors import SettingInvalid
from kernel.tasks import TaskState
from kernel.workers import Again, TaskOutcome
from tests.conftest import NOON
from tests.guard.ledger.test_stored import an_entry


class Told:
    """A tracing whose spans stay in memory."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracing = Tracing(provider)

    def spans(self) -> dict[str, ReadableSpan]:
        return {span.name: span for span in self._exporter.get_finished_spans()}


def attributes(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


async def test_a_delivery_is_a_span_with_its_decision_and_its_record_inside(
    clock: FrozenClock,
) -> None:
    told = Told()
    ledger = told.tracing.ledger(MemoryLedger())
    entry = an_entry(clock, record_id="row-of-anna", key="k")
    answers = []

    async def webhook(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        told.tracing.note(
            LoggedRequest(
                "directory", "", "GET", "/users/anna@contoso.com", "a fact", NOON, 0.25, 1, 200,
                "c", "r",
            )
        )  # fmt: skip
        await ledger.record(entry)
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body"})

    async def receive() -> MutableMapping[str, Any]:
        raise AssertionError

    async def send(message: MutableMapping[str, Any]) -> None:
        answers.append(message["type"])

    await told.tracing.around(webhook)({"type": "http"}, receive, send)
    spans = told.spans()
    assert set(spans) == {"delivery", "decide", "record", "remote call"}
    delivery = spans["delivery"]
    assert delivery.context is not None
    for name in ("decide", "record", "remote call"):
        parent = spans[name].parent
        assert parent is not None
        assert parent.span_id == delivery.context.span_id
    assert attributes(delivery) == {"http.response.status_code": 200}
    assert attributes(spans["decide"])["decision"] == "allow"
    assert attributes(spans["record"]) == {"repeat": False}
    call = spans["remote call"]
    assert (call.end_time or 0) - (call.start_time or 0) == pytest.approx(0.25e9, rel=1e-3)
    everything = " ".join(str(attributes(span)) for span in spans.values())
    assert "contoso" not in everything
    assert "row-of-anna" not in everything
    assert answers == ["http.response.start", "http.response.body"]
    # What else is asked of the ledger it answers as before.
    assert await ledger.mirrored("mailbox", "x") is None


async def test_what_the_guard_records_by_itself_has_no_delivery(clock: FrozenClock) -> None:
    told = Told()
    await told.tracing.ledger(MemoryLedger()).record(an_entry(clock))
    assert set(told.spans()) == {"record"}


async def test_an_attempt_at_an_obligation_is_a_span_with_its_outcome() -> None:
    told = Told()

    class Revert:
        kind, attempts, state = "revert", 2, TaskState.RUNNING

    async def later(task: Any) -> TaskOutcome:
        return Again("not yet")

    async def broken(task: Any) -> TaskOutcome:
        raise ValueError("anna@contoso.com")

    wrapped = told.tracing.handlers({"revert": later, "grant": broken})
    task: Any = Revert()
    assert await wrapped["revert"](task) == Again("not yet")
    span = told.spans()["obligation"]
    assert attributes(span) == {"task.kind": "revert", "task.attempts": 2, "task.outcome": "again"}
    with pytest.raises(ValueError, match="anna"):
        await wrapped["grant"](task)
    failed = told.spans()["obligation"]
    assert "contoso" not in f"{failed.status.description} {failed.events}"


def test_off_nothing_of_it_is_loaded() -> None:
    assert open_tracing("") is None
    # The web framework loads the API where it is installed; the rest is ours to load.
    asked = "import sys, console.wiring.live; print('opentelemetry.sdk' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_without_the_extra_the_mend_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace.export", None)
    with pytest.raises(SettingInvalid) as told:
        open_tracing("http://127.0.0.1:4318")
    assert "mailbox-guard[tracing]" in (told.value.hint or "")
