"""`policy explain`: why a change is decided as it is, in words, with what the rules saw."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from console.output import Output, emit, output_option
from console.policy.moments import MomentType
from console.policy.options import taken
from console.policy.recorded import find_recorded, looks_like_id, read_exported
from kernel.clock import SystemClock
from kernel.errors import InputRefused
from rules.load.loader import load

if TYPE_CHECKING:
    from rules.engine.policy_set import PolicySet
    from rules.model.change import Change, Facts
    from rules.replay.recorded import PastDecision


@click.command(help="Tell in words why a change is decided as it is.")
@click.argument("change", metavar="CHANGE|DECISION_ID")
@click.option(
    "--policies",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="MAILBOX_GUARD_POLICIES_DIR",
    help="The policy folder; for a decision, in place of the set that was recorded with it.",
)
@click.option(
    "--environment",
    envvar="MAILBOX_GUARD_ENVIRONMENT",
    help="Which params/<environment>.yaml applies.",
)
@click.option("--rule", help="Tell only this policy/rule, rule or policy, passing or not.")
@click.option(
    "--set",
    "assigned",
    multiple=True,
    metavar="PATH=VALUE",
    help="Decide as if this field were another; may be repeated.",
)
@click.option("--now", type=MomentType(), help="The moment of the decision; default: as recorded.")
@output_option()
@click.pass_context
def explain(
    ctx: click.Context,
    change: str,
    folder: Path | None,
    environment: str | None,
    rule: str | None,
    assigned: Sequence[str],
    now: datetime | None,
    outputs: Sequence[Output],
) -> int:
    """Exit 0 when the change is allowed, 1 when it is rejected or held."""
    from console.readings.again import not_given
    from console.readings.again import told as told_as_values
    from rules.explain.explain import Explainer
    from rules.explain.render import explanation_text
    from rules.model.decision import Outcome
    from rules.testing.whatif import what_if

    given = _given(ctx, change, folder, environment)
    subject, facts = given.change, given.facts
    if assigned:
        values = dict(_assignment(one) for one in assigned)
        subject, facts = what_if(subject, facts, given.policy_set.catalogue, values)
    at = now or given.now or SystemClock().now()
    explanation = Explainer(given.policy_set).explain(subject, facts, now=at)
    if rule is not None:
        _require_rule(rule, given.policy_set)
    past = given.past
    told = told_as_values(explanation, given.policy_set, past=past, only=rule)
    told["set"] = dict(_assignment(one) for one in assigned)
    absent = not_given(explanation, facts) if past is None else []
    if past is None:
        told["not_given"] = absent

    def text() -> str:
        lines = [explanation_text(explanation, heading=_heading(given, facts), only=rule)]
        lines += _remarks(change, past, explanation.decision.outcome.value, bool(assigned))
        if absent:
            lines.append(f"The file does not say: {', '.join(absent)}.")
            lines.append("Write it there, or try a value with --set PATH=VALUE.")
        return "\n".join(lines)

    emit(outputs, told, text=text)
    refused = explanation.decision.outcome in (Outcome.REJECT, Outcome.HOLD)
    return 1 if refused else 0


class _Given:
    """What is to be explained, and by which policies."""

    def __init__(
        self, change: Change, facts: Facts, now: datetime | None, policy_set: PolicySet,
        past: PastDecision | None = None,
    ) -> None:  # fmt: skip
        self.change = change
        self.facts = facts
        self.now = now
        self.policy_set = policy_set
        self.past = past


def _given(ctx: click.Context, named: str, folder: Path | None, environment: str | None) -> _Given:
    from rules.testing.document import read_change

    # What was named on the command line counts; the setting alone does not replace a recorded set.
    named_folder = ctx.get_parameter_source("folder") is click.core.ParameterSource.COMMANDLINE
    if named != "-" and not Path(named).is_file():
        if not looks_like_id(named):
            raise InputRefused(
                f"{named} is neither a file nor the id of a decision.",
                hint="Name a file with a change or an exported decision, `-` for standard input, "
                "or an id of `decisions list`.",
            )
        past, recorded_set = find_recorded(ctx, named)
        policy_set = recorded_set if not named_folder else None
        if policy_set is None:
            policy_set = load(taken(folder), environment=environment)
        return _Given(past.change, past.facts, past.now, policy_set, past)
    policy_set = load(taken(folder), environment=environment)
    with click.open_file(named, "rb") as file:
        text = file.read(1 << 20).decode("utf-8", "replace")
    if (exported := read_exported(text, where=named)) is not None:
        return _Given(exported.change, exported.facts, exported.now, policy_set, exported)
    read = read_change(text, policy_set.catalogue, file=named)
    return _Given(read.change, read.facts, read.now, policy_set)


def _assignment(text: str) -> tuple[str, Any]:
    """Return the path and the value of PATH=VALUE; a value is written as in YAML."""
    from rules.syntax.complaint import Complaint
    from rules.syntax.nodes import read_nodes

    path, equals, value = text.partition("=")
    if not equals or not path.strip():
        raise InputRefused(
            f"--set takes PATH=VALUE, not `{text[:80]}`.", hint="Write --set owner.type=queue."
        )
    complaints: list[Complaint] = []
    node = read_nodes("--set", value, complaints)
    if complaints:
        raise InputRefused(f"The value of --set {path} can't be read: {complaints[0].text}")
    return path.strip(), node.value() if node is not None else None


def _require_rule(rule: str, policy_set: PolicySet) -> None:
    from rules.syntax.complaint import closest

    known = set()
    for policy in policy_set.policies:
        for resolved in policy.tables.values():
            for one in resolved.rules:
                known |= {policy.name, one.id, f"{policy.name}/{one.id}"}
    if rule not in known:
        raise InputRefused(f"There is no rule or policy {rule}.", hint=closest(rule, known))


def _heading(given: _Given, facts: Facts) -> list[str]:
    actor = facts.values.get("actor.upn") or facts.values.get("actor.id")
    heading = [f"by {actor}"] if actor else []
    if given.past is not None:
        heading.append(f"decision {given.past.id}")
    return [*heading, f"set {given.policy_set.digest[:12]}"]


def _remarks(named: str, past: PastDecision | None, outcome: str, changed: bool) -> list[str]:
    if past is None:
        return []
    remarks = []
    if looks_like_id(named) and past.id != named.lower():
        remarks.append(f"The decision {named} only confirms this one.")
    if past.deferred:
        names = ", ".join(past.deferred)
        remarks.append(f"When it was decided, these were left to the committed row: {names}.")
    if past.outcome != outcome:
        because = "With the values that were set" if changed else "By these policies"
        remarks.append(f"{because} the answer is {outcome}; recorded was {past.outcome}.")
    return remarks
