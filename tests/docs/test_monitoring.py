"""The alert rules and the board ask for metrics that there are, in Prometheus' own language."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from console.metrics import PrometheusMetrics
from guard.case import FROM_DELIVERY
from kernel.tasks import TaskState
from sync.store.tables import SyncState
from tests.docs.pages import page

FOLDER = Path(__file__).parents[2] / "docs" / "monitoring"
ALERTS: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((FOLDER / "alerts.yaml").read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
]
BOARD: dict[str, Any] = json.loads((FOLDER / "grafana.json").read_text(encoding="utf-8"))
PANELS = [
    (panel["title"], target["expr"]) for panel in BOARD["panels"] for target in panel["targets"]
]
EXPRESSIONS = [(one["alert"], one["expr"]) for one in ALERTS] + PANELS
STATES = {
    "mailbox_guard_mailboxes": {state.value for state in SyncState},
    "mailbox_guard_tasks": {state.value for state in TaskState},
}


def selectors(node: Any) -> Iterator[Any]:
    """Yield every vector selector of a parsed expression."""
    if isinstance(node, promql_parser.VectorSelector):
        yield node
    for name in ("expr", "lhs", "rhs", "vector_selector", "param"):
        inner = getattr(node, name, None)
        if inner is not None:
            yield from selectors(inner)
    for inner in getattr(node, "args", None) or ():
        yield from selectors(inner)


def scraped() -> dict[str, set[str]]:
    """Return the name of every sample with the names of its labels."""
    metrics = PrometheusMetrics()
    metrics.answered(status=200, decision="allow", cause="rules", seconds=0.1)
    metrics.decided(decision="allow", cause="rules", source=FROM_DELIVERY)
    metrics.fact_missing("owner.upn")
    metrics.rule_failed("policy/rule", "fail")
    metrics.watched("bypass")
    families = text_string_to_metric_families(metrics.render().decode())
    found = {"up": {"job"}}
    for family in families:
        found.setdefault(family.name, set())
        found.setdefault(f"{family.name}_total", set())
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


@pytest.mark.parametrize(("where", "expression"), EXPRESSIONS)
def test_an_expression_is_promql_about_metrics_that_are_scraped(
    where: str, expression: str
) -> None:
    asked = list(selectors(promql_parser.parse(expression)))
    assert asked, where
    known = scraped()
    for selector in asked:
        assert selector.name in known, f"{where}: {selector.name}"
        for matcher in selector.matchers.matchers:
            states = STATES.get(selector.name)
            if states is not None and matcher.name == "state":
                assert matcher.value in states, f"{where}: {matcher.value}"


def test_every_alert_says_how_grave_it_is_and_what_to_do() -> None:
    names = [one["alert"] for one in ALERTS]
    assert len(set(names)) == len(names)
    for one in ALERTS:
        assert one["labels"]["severity"] in {"info", "warning", "critical"}
        assert one["annotations"].keys() == {"summary", "action"}
        assert "$" not in one["annotations"]["action"]


def test_the_operators_page_says_of_every_alert_what_the_alert_says() -> None:
    for one in ALERTS:
        summary = re.sub(
            r"\{\{ \$labels\.(\w+) \}\}", lambda m: m[1].upper(), one["annotations"]["summary"]
        )
        told = summary.replace("BRAKE", "NAME")
        row = f"| `{one['alert']}` | {told} | {one['annotations']['action']} |"
        assert row in page("operations.md")


def test_every_metric_is_watched_by_the_board_or_an_alert() -> None:
    families = text_string_to_metric_families(PrometheusMetrics().render().decode())
    metrics = {one.name for one in families if not one.name.endswith("_created")}
    asked = " ".join(expression for _, expression in EXPRESSIONS)
    left_out = {"mailbox_guard_policy_set_loaded_timestamp_seconds"}
    assert {name for name in metrics if name not in asked} <= left_out


def test_the_board_is_laid_out_without_overlaps() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in BOARD["panels"]:
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not cells & taken
        assert at["x"] + at["w"] <= 24
        taken |= cells
