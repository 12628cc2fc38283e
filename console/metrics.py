"""Metrics in Prometheus' text form; docs/metrics.md lists every one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from cloud.access import LoggedRequest
from console.gauges import Gauges
from guard.obligations.table import OBLIGATIONS
from kernel.tasks import TaskCounts, TaskState

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


@dataclass(frozen=True, slots=True)
class Figure:
    """One metric in words: what it counts, and how much that is with all labels together."""

    name: str
    doc: str
    value: str


class PrometheusMetrics:
    """Every metric of one process, on a registry of its own; the guard's port among others."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._deliveries = Counter(
            "mailbox_guard_deliveries",
            "Webhook deliveries by HTTP status, decision and cause.",
            ["status", "decision", "cause"],
            registry=self.registry,
        )
        self._seconds = Histogram(
            "mailbox_guard_delivery_seconds",
            "Time from the first byte of a delivery to its answer, in seconds.",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._missing_facts = Counter(
            "mailbox_guard_missing_facts",
            "Facts that a decision needed and did not get, by path.",
            ["path"],
            registry=self.registry,
        )
        self._findings = Counter(
            "mailbox_guard_findings",
            "Findings by rule and result.",
            ["rule", "result"],
            registry=self.registry,
        )
        self._watched = Counter(
            "mailbox_guard_watched",
            "What confirmation, reconciliation and the watch on evidence found, by event.",
            ["event"],
            registry=self.registry,
        )
        self._notices = Counter(
            "mailbox_guard_notices",
            "Notices to people whose change was refused, by channel and what became of them.",
            ["channel", "outcome"],
            registry=self.registry,
        )
        self._policy_set_loaded = Gauge(
            "mailbox_guard_policy_set_loaded_timestamp_seconds",
            "When the current policy set was loaded, in seconds since 1970.",
            registry=self.registry,
        )
        self._policy_set_refused = Gauge(
            "mailbox_guard_policy_set_refused",
            "1 while the policy folder holds a newer set that was refused, else 0.",
            registry=self.registry,
        )
        self._requests = Counter(
            "mailbox_guard_requests",
            "Requests to Microsoft's services by service and whether they reach into a mailbox.",
            ["service", "mailbox"],
            registry=self.registry,
        )
        self._tasks = Gauge(
            "mailbox_guard_tasks",
            "Tasks by kind and state, counted when the metrics are read.",
            ["kind", "state"],
            registry=self.registry,
        )
        self._tasks_overdue = Gauge(
            "mailbox_guard_tasks_overdue",
            "Tasks that were tried in vain for a day or longer, by kind.",
            ["kind"],
            registry=self.registry,
        )
        self._decisions = Counter(
            "mailbox_guard_decisions",
            "Decisions by answer, cause and the way by which they came, repeats included.",
            ["decision", "cause", "source"],
            registry=self.registry,
        )
        self._ledger_seconds = Histogram(
            "mailbox_guard_ledger_write_seconds",
            "Time in which a batch of decisions became durable, in seconds.",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._mailboxes = Gauge(
            "mailbox_guard_mailboxes",
            "Mailboxes by state, counted once a minute at most.",
            ["state"],
            registry=self.registry,
        )
        self._stalest = Gauge(
            "mailbox_guard_mailbox_stalest_timestamp_seconds",
            "As of when the approved mailbox is known that is furthest behind, in seconds since "
            "1970; 0 where none has been visited.",
            registry=self.registry,
        )
        self._quarantined = Gauge(
            "mailbox_guard_quarantined",
            "Items that are set aside and try again at long intervals.",
            registry=self.registry,
        )
        self._brakes = Gauge(
            "mailbox_guard_brake_stopped",
            "Rows or streams that a brake has stopped, by brake.",
            ["brake"],
            registry=self.registry,
        )
        self._credentials_refused = Gauge(
            "mailbox_guard_credentials_refused",
            "How many of our credentials Entra, or a service whatever it is asked, refuses.",
            registry=self.registry,
        )
        self._deviations = Gauge(
            "mailbox_guard_registration_deviations",
            "How many things differ in Dataverse from what was registered and accepted.",
            registry=self.registry,
        )
        self._credential_ends = Gauge(
            "mailbox_guard_credential_ends_timestamp_seconds",
            "When a credential of ours ends, where that is known, in seconds since 1970.",
            ["credential"],
            registry=self.registry,
        )
        self._holds_open = Gauge(
            "mailbox_guard_holds_open",
            "Holds that wait for an approver.",
            registry=self.registry,
        )
        self._holds_oldest = Gauge(
            "mailbox_guard_holds_oldest_seconds",
            "For how long the oldest open hold has been waiting; 0 without one.",
            registry=self.registry,
        )
        # A label lookup costs more than a count, so the children of the hot path are kept.
        self._answered: dict[tuple[int, str, str], Counter] = {}
        self._decided: dict[tuple[str, str, str], Counter] = {}

    def figures(self) -> list[Figure]:
        """Return what this process counted since it started; of times the mean."""
        found = []
        for family in self.registry.collect():
            if family.type == "counter":
                total = sum(one.value for one in family.samples if one.name.endswith("_total"))
                found.append(Figure(family.name, family.documentation, f"{total:,.0f}"))
            elif family.type == "histogram":
                sums = {one.name.rpartition("_")[2]: one.value for one in family.samples}
                count = sums.get("count", 0.0)
                mean = f"{1000 * sums['sum'] / count:,.1f} ms on average" if count else "none yet"
                found.append(Figure(family.name, family.documentation, mean))
        return found

    def answered(self, *, status: int, decision: str, cause: str, seconds: float) -> None:
        """Count an answer of the webhook."""
        key = (status, decision, cause)
        counter = self._answered.get(key)
        if counter is None:
            counter = self._answered[key] = self._deliveries.labels(str(status), decision, cause)
        counter.inc()
        self._seconds.observe(seconds)

    def fact_missing(self, path: str) -> None:
        """Count a fact that a decision needed and did not get."""
        self._missing_facts.labels(path).inc()

    def rule_failed(self, rule: str, result: str) -> None:
        """Count a finding of a rule."""
        self._findings.labels(rule, result).inc()

    def watched(self, event: str) -> None:
        """Count what the watch found."""
        self._watched.labels(event).inc()

    def show_credential_ends(self, ends: Mapping[str, float]) -> None:
        """Say when our credentials end, by what they are called, in seconds since 1970."""
        self._credential_ends.clear()
        for name, moment in ends.items():
            self._credential_ends.labels(name).set(moment)

    def noticed(self, channel: str, outcome: str) -> None:
        """Count what became of a notice."""
        self._notices.labels(channel, outcome).inc()

    def count_access(self, access: LoggedRequest) -> None:
        """Count a request that left for a service."""
        service = "dataverse" if access.kind == "rows" else "graph"
        self._requests.labels(service, "yes" if access.kind == "mailbox" else "no").inc()

    def show_policy_set(self, *, loaded_at: float, is_refused: bool) -> None:
        """Say when the current policy set was loaded and whether a newer one was refused."""
        self._policy_set_loaded.set(loaded_at)
        self._policy_set_refused.set(1 if is_refused else 0)

    def decided(self, *, decision: str, cause: str, source: str) -> None:
        """Count a decision that is being recorded."""
        key = (decision, cause, source)
        counter = self._decided.get(key)
        if counter is None:
            counter = self._decided[key] = self._decisions.labels(*key)
        counter.inc()

    def ledger_written(self, seconds: float) -> None:
        """Take how long a batch of decisions took to become durable."""
        self._ledger_seconds.observe(seconds)

    def show(self, gauges: Gauges) -> None:
        """Say what was counted in the database."""
        self._show_tasks(gauges.tasks)
        for state, count in gauges.mailboxes.by_state.items():
            self._mailboxes.labels(state.value).set(count)
        stalest = gauges.mailboxes.stalest
        self._stalest.set(0 if stalest is None else stalest.timestamp())
        self._quarantined.set(gauges.mailboxes.quarantined)
        self._credentials_refused.set(gauges.refused)
        self._deviations.set(gauges.deviations)
        self._holds_open.set(gauges.holds_open)
        self._holds_oldest.set(gauges.holds_waiting_seconds)
        for brake, count in gauges.stopped.items():
            self._brakes.labels(brake).set(count)

    def _show_tasks(self, counts: TaskCounts) -> None:
        """Say how many tasks there are; kinds and states that are gone are forgotten.

        Of every obligation it is said how many need a person, also when none does, so that an
        alert has something to look at from the beginning.
        """
        self._tasks.clear()
        for obligation in OBLIGATIONS:
            self._tasks.labels(obligation.kind, TaskState.NEEDS_PERSON.value).set(0)
        for (kind, state), count in counts.by_state.items():
            self._tasks.labels(kind, state.value).set(count)
        self._tasks_overdue.clear()
        for kind, count in counts.overdue.items():
            self._tasks_overdue.labels(kind).set(count)

    def render(self) -> bytes:
        """Return all metrics as Prometheus reads them."""
        return generate_latest(self.registry)
