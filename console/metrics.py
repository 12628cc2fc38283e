"""Metrics in Prometheus' text form; docs/metrics.md lists every one."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from cloud.access import Access

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """Every metric of one process, on a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.deliveries = Counter(
            "mailbox_guard_deliveries",
            "Webhook deliveries by answer and decision.",
            ["status", "decision"],
            registry=self.registry,
        )
        self.decision_seconds = Histogram(
            "mailbox_guard_decision_seconds",
            "Time from the last byte of a delivery to its answer, in seconds.",
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
            registry=self.registry,
        )
        self.policy_set_loaded = Gauge(
            "mailbox_guard_policy_set_loaded_timestamp_seconds",
            "When the current policy set was loaded, in seconds since 1970.",
            registry=self.registry,
        )
        self.policy_set_rejected = Counter(
            "mailbox_guard_policy_set_rejected",
            "Changed policy folders that were not accepted.",
            registry=self.registry,
        )
        self.accesses = Counter(
            "mailbox_guard_requests",
            "Requests to Microsoft's services by service and whether they reach into a mailbox.",
            ["service", "mailbox"],
            registry=self.registry,
        )
        self.tasks = Gauge(
            "mailbox_guard_tasks",
            "Tasks by kind and state, counted when the metrics are read.",
            ["kind", "state"],
            registry=self.registry,
        )

    def count_access(self, access: Access) -> None:
        """Count a request that left for a service."""
        service = "dataverse" if access.kind == "rows" else "graph"
        self.accesses.labels(service, "yes" if access.kind == "mailbox" else "no").inc()

    def render(self) -> bytes:
        """Return all metrics as Prometheus reads them."""
        return generate_latest(self.registry)
