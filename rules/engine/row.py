"""A row as it stands, judged by every policy of its table: `scan` and the reading back of rows.

Operations are ignored; becomes and changed hold for what the row has. Rules that read the actor,
the request or what stood there before cannot be judged on a row: they are named, never failed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from rules.engine.compile import CompiledPolicy
from rules.engine.decide import failing
from rules.engine.policy_set import PolicySet
from rules.model.change import Change, Facts, Value
from rules.model.decision import Finding, Outcome, released_findings, strongest
from rules.operators.fields import SCANNING, View
from rules.operators.unknown import UnknownValue

Result = Literal["pass", "warn", "hold", "fail", "error"]


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a row is worth.

    `rules` are the ids that made the result, `not_evaluable` those that cannot be judged on a
    row, `evaluated` the enforced ones that applied and were judged.
    """

    result: Result
    rules: tuple[str, ...]
    not_evaluable: tuple[str, ...]
    evaluated: tuple[str, ...]
    findings: tuple[Finding, ...]


def row_change(table: str, record_id: str, row: Mapping[str, Value]) -> Change:
    """Return the change that stands for a row as it is."""
    return Change(table, "create", record_id, {}, row, frozenset(row))


def scan_needs(table: str, policy_set: PolicySet) -> frozenset[str]:
    """Return the path of every fact that judging rows of a table needs."""
    policies = policy_set.index.of_table(table).policies
    return frozenset().union(*(policy.scan_facts for policy in policies))


def judge_row(
    table: str,
    record_id: str,
    row: Mapping[str, Value],
    *,
    policy_set: PolicySet,
    facts: Facts,
    now: datetime,
) -> Judgement:
    """Return the judgement of every policy of the table on one row."""
    change = row_change(table, record_id, row)
    candidates = policy_set.index.of_table(table)
    view = candidates.view(change, facts, now=now)
    # `changed: false` must hold of a row, although everything in it differs from nothing.
    view[SCANNING] = True
    findings: list[Finding] = []
    evaluated: list[str] = []
    skipped: list[str] = []
    for policy in candidates.policies:
        _judge(policy, view, findings, evaluated, skipped, now=now)
    findings.sort(key=lambda finding: finding.id)
    return _judgement(findings, evaluated, skipped)


def released_row(judgement: Judgement, rules: Collection[str], *, by: str) -> Judgement:
    """Return the judgement with what these rules hold released by that hold."""
    findings = released_findings(judgement.findings, rules, by=by)
    return _judgement(findings, judgement.evaluated, judgement.not_evaluable)


def _judgement(
    findings: Sequence[Finding], evaluated: Sequence[str], skipped: Sequence[str]
) -> Judgement:
    outcome = strongest(findings)
    making = [f for f in findings if f.contributes is outcome and outcome is not Outcome.ALLOW]
    return Judgement(
        result=_result(outcome, making),
        rules=tuple(finding.id for finding in making),
        not_evaluable=tuple(skipped),
        evaluated=tuple(evaluated),
        findings=tuple(findings),
    )


def _judge(
    policy: CompiledPolicy,
    view: View,
    findings: list[Finding],
    evaluated: list[str],
    skipped: list[str],
    *,
    now: datetime,
) -> None:
    scannable = [rule for rule in policy.rules if rule.scannable]
    skipped += [rule.id for rule in policy.rules if not rule.scannable]
    if not scannable:
        return
    matched = policy.match(view) if policy.match is not None else True
    if matched is False:
        return
    for rule in scannable:
        answer = rule.run(view) if matched is True else matched
        if answer is None:
            continue
        if policy.policy.mode == "enforce" and answer.__class__ is not UnknownValue:
            evaluated.append(rule.id)
        if answer is not True:
            findings.append(failing(policy, rule, answer, view, now=now))


def _result(outcome: Outcome, making: list[Finding]) -> Result:
    match outcome:
        case Outcome.REJECT:
            return "error" if all(f.result == "error" for f in making) else "fail"
        case Outcome.HOLD:
            return "hold"
        case Outcome.WARN:
            return "warn"
        case Outcome.ALLOW:
            return "pass"
