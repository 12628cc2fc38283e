"""docs/metrics.md: every metric by the name under which it is scraped."""

from __future__ import annotations

from prometheus_client.metrics import MetricWrapperBase

from console.metrics import PrometheusMetrics
from console.reference.table import table

_HEAD = """\
# Metrics

`GET /metrics` answers in Prometheus' text form. Addresses, record ids and other personal values are
in no label. [Alert rules](monitoring/alerts.yaml) over them for Prometheus and a
[board](monitoring/grafana.json) for Grafana are there to be used. What to do about each alert
stands in [operations](operations.md#worth-an-alarm).

"""
_SUFFIX = {"counter": "_total"}


def metrics_page() -> str:
    """Return docs/metrics.md."""
    rows = []
    for metric in sorted(metrics(), key=lambda one: str(one._name)):
        kind = str(metric._type)
        labels = ", ".join(f"`{name}`" for name in metric._labelnames) or "none"
        rows.append(
            (f"`{metric._name}{_SUFFIX.get(kind, '')}`", kind, labels, str(metric._documentation))
        )
    return _HEAD + table(("metric", "kind", "labels", "meaning"), rows)


def metrics() -> list[MetricWrapperBase]:
    """Return every metric of a process."""
    return [one for one in vars(PrometheusMetrics()).values() if isinstance(one, MetricWrapperBase)]
