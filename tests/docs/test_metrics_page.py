"""docs/metrics.md names every metric as it is scraped."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from console.metrics import PrometheusMetrics
from tests.docs.pages import first_cells, page

TEXT = page("metrics.md")


def test_every_scraped_family_stands_in_the_page() -> None:
    families = text_string_to_metric_families(PrometheusMetrics().render().decode())
    scraped = {f"{one.name}_total" if one.type == "counter" else one.name for one in families}
    created = {name for name in scraped if name.endswith("_created")}
    assert {cell.strip("`") for cell in first_cells(TEXT, "metric")} == scraped - created


def test_every_name_begins_with_the_product() -> None:
    assert [c for c in first_cells(TEXT, "metric") if not c.startswith("`mailbox_guard_")] == []
