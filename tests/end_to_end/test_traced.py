"""A process that is told of a collector sends it the spans of what it does, and no person."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.end_to_end.processes import Processes
from tests.end_to_end.tenant_cloud import TenantCloud
from tests.webhook_examples.examples import all_examples

EXAMPLE = next(one for one in all_examples() if one.expected.status == 403)


class Collector(BaseHTTPRequestHandler):
    """Takes OTLP over HTTP."""

    bodies: list[bytes]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.path == "/v1/traces":
            self.bodies.append(body)
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def collector() -> Iterator[tuple[str, list[bytes]]]:
    """The address of a collector and what it was sent."""
    Collector.bodies = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", Collector.bodies
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_decision_is_traced_from_the_delivery_to_the_record(
    group: Processes, cloud: TenantCloud, collector: tuple[str, list[bytes]]
) -> None:
    endpoint, bodies = collector
    server = group.serve("--no-sync", **cloud.settings, tracing_endpoint=endpoint)
    answer = httpx.post(
        f"{server.url}{EXAMPLE.url}", content=EXAMPLE.body, headers=EXAMPLE.headers, timeout=30
    )
    assert answer.status_code == 403
    # What waits is sent at the latest when it ends.
    assert server.terminate() == 0, server.shown()
    assert "Traceback" not in server.err
    spans = [
        span
        for body in bodies
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]
    delivery = next(span for span in spans if span.name == "delivery")
    inside = {span.name for span in spans if span.parent_span_id == delivery.span_id}
    assert {"decide", "record"} <= inside
    assert "remote call" in {span.name for span in spans}
    assert b"contoso.com" not in b"".join(bodies)
