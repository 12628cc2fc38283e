"""`policy check`: decide one change that stands in a file."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from console.output import Output, emit, output_option
from console.policy.moments import MomentType
from console.policy.options import folder_options, taken
from kernel.clock import SystemClock
from rules.load.loader import load
from rules.model.decision import Decision, Outcome


@click.command(help="Decide one change that stands in a file.")
@click.argument("change", type=click.File("rb"))
@folder_options
@click.option("--now", type=MomentType(), help="The moment of the decision; default: now.")
@output_option()
def check(
    change: Any,
    folder: Path | None,
    environment: str | None,
    now: datetime | None,
    outputs: Sequence[Output],
) -> int:
    """Exit 0 when the change is allowed, 1 when it is rejected or held."""
    from rules.engine.decide import decide
    from rules.testing.document import read_change

    policy_set = load(taken(folder), environment=environment)
    text = change.read(1 << 20).decode("utf-8", "replace")
    given = read_change(text, policy_set.catalogue, file=change.name)
    at = now or given.now or SystemClock().now()
    decided = decide(given.change, policy_set, given.facts, now=at)
    emit(outputs, _decision_json(decided), text=lambda: _decision_text(decided))
    return 1 if decided.outcome in (Outcome.REJECT, Outcome.HOLD) else 0


def _decision_text(decided: Decision) -> str:
    from rules.explain.render import finding_text

    lines = [str(decided.outcome).upper()]
    for finding in decided.findings:
        lines += finding_text(finding)
    return "\n".join(lines)


def _decision_json(decided: Decision) -> dict[str, Any]:
    return {
        "decision": str(decided.outcome),
        "cause": decided.cause,
        "findings": [
            {
                "policy": finding.policy,
                "rule": finding.rule,
                "result": finding.result,
                "effect": finding.effect,
                "severity": finding.severity,
                "message": finding.message,
                "help": finding.help,
                "exception": finding.exception,
                "error": finding.error,
            }
            for finding in decided.findings
        ],
    }
