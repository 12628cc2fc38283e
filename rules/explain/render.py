"""An explanation as people read it and as JSON: words, values beside, source lines at the right."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, Literal, TypeAlias

from rules.explain.explain import (
    HOLDING,
    ConsideredException,
    Explanation,
    PolicyTrace,
    Result,
    RuleTrace,
)
from rules.explain.trace import Answer, Trace
from rules.model.decision import Finding, Outcome
from rules.operators.unknown import UnknownValue

WIDTH: Final = 100
# A column may be wider than this; then only its own row is.
_LONGEST_WORDS: Final = 64
Told: TypeAlias = Result | Literal["released"]
"""How a rule ended: of an explanation, or of a recorded finding that an approver released."""

_MARKS: Final = {"error": "?", "excepted": "v", "released": "v", "passed": "v"}
_STATES: Final = {
    "ended": "has ended",
    "not-yet": "ends more than 180 days ahead, so it does not apply yet",
    "not-needed": "was not needed",
    "applies": "applies",
    "does-not-fit": "does not fit",
}

_Row = tuple[str, str, str, str, str]


def explanation_text(
    explanation: Explanation, *, heading: Sequence[str] = (), only: str | None = None
) -> str:
    """Return the explanation as lines.

    `heading` continues the first line; `only` is the id of a rule, or its policy, to be told alone
    and whole, passing or not.
    """
    change = explanation.change
    who = "  ".join(("", *heading))
    lines = [
        f"{str(explanation.decision.outcome).upper():7} {change.table} {change.record_id}  "
        f"{change.operation}{who}"
    ]
    rules = [rule for rule in explanation.rules if only is None or concerns(rule, only)]
    # Who asks for one rule wants it whole; who asks for a decision wants what made it.
    whole = rules if only is not None else [r for r in rules if r.result in _WHOLE]
    by_name = {trace.policy.name: trace for trace in explanation.policies}
    for rule in whole:
        lines += rule_text(rule, by_name[rule.id.partition("/")[0]])
    lines += [_passing_line(rule) for rule in rules if rule not in whole]
    for trace in explanation.policies:
        if trace.matched is False and (only is None or only.partition("/")[0] == trace.policy.name):
            lines.append(f"- {trace.policy.name}  (match: {_reason(trace.match, blame=False)})")
    if not explanation.policies:
        lines.append("No policy concerns this table and operation.")
    return "\n".join(line.rstrip() for line in lines)


_WHOLE: Final = ("failed", "error", "excepted", "released")


def concerns(rule: RuleTrace, wanted: str) -> bool:
    """Tell whether a rule is the one asked for: by its id, its own name or its policy."""
    return wanted in (rule.id, rule.rule.id, rule.id.partition("/")[0])


def rule_text(rule: RuleTrace, policy: PolicyTrace) -> list[str]:
    """Return one rule whole: heading, message, every condition that was reached, exceptions."""
    mark, note = _heading(
        rule.result,
        mode=policy.policy.mode,
        effect=rule.rule.effect,
        severity=rule.rule.severity,
        rejects=rule.contributes is Outcome.REJECT,
        exception=rule.exception,
    )
    lines = [_right(f"{mark} {rule.id}  ({note})", str(rule.rule.place))]
    if rule.finding is not None:
        lines.append(f'  "{rule.finding.message}"')
        if rule.rule.wordings:
            lines.append(f"  also in {', '.join(sorted(rule.rule.wordings))}")
    rows: list[_Row] = []
    rows += _rows(policy.match, "match")
    rows += _rows(rule.when, "when")
    rows += _rows(rule.require, None)
    rows += _rows(rule.unless, "unless")
    lines += _aligned(rows)
    for considered in rule.exceptions:
        lines += _exception_lines(considered)
    if rule.finding is not None and rule.finding.help and rule.result in ("failed", "error"):
        lines.append(f"  fix  {rule.finding.help}")
    if rule.result == "failed" and rule.rule.effect == "hold":
        lines.append(f"  released by  {rule.rule.release.words}")
    return lines


def involved_text(explanation: Explanation, wanted: Iterable[str]) -> list[str]:
    """Return these rules as they went, and the match of those whose policy did not match."""
    ids = set(wanted)
    by_name = {trace.policy.name: trace for trace in explanation.policies}
    lines: list[str] = []
    for rule in explanation.rules:
        if rule.id in ids:
            ids.discard(rule.id)
            lines += rule_text(rule, by_name[rule.id.partition("/")[0]])
    for rule_id in sorted(ids):
        policy = by_name.get(rule_id.partition("/")[0])
        if policy is None:
            lines.append(f"- {rule_id}  (its policy is none for this table and operation)")
        elif policy.matched is False:
            lines.append(_right(f"- {rule_id}  (match does not hold)", str(policy.policy.place)))
            lines += _aligned(_rows(policy.match, "match"))
        else:
            lines.append(f"- {rule_id}  (there is no such rule)")
    return lines


def finding_text(finding: Finding) -> list[str]:
    """Return a finding as the explanation of its rule begins and ends, without what it saw."""
    result: Told = "failed" if finding.result == "fail" else finding.result
    mark, note = _heading(
        result,
        mode=finding.mode,
        effect=finding.declared,
        severity=finding.severity,
        rejects=finding.contributes is Outcome.REJECT,
        exception=finding.exception,
    )
    lines = [f"{mark} {finding.id}  ({note})", f'  "{finding.message}"']
    if finding.help and result not in ("excepted", "released"):
        lines.append(f"  fix  {finding.help}")
    return lines


def _heading(
    result: Told,
    *,
    mode: str,
    effect: str,
    severity: str,
    rejects: bool,
    exception: str | None,
) -> tuple[str, str]:
    """Return the mark before a rule and the note behind it."""
    mark = _MARKS.get(result, "-")
    note: str | None = None
    match result:
        case "failed" if mode == "enforce":
            mark = "~" if effect in HOLDING else "x"
            note = None if effect == "reject" else effect
        case "failed" | "error" if mode != "enforce":
            mark = "?" if result == "error" else "!" if mode == "warn" else "-"
            note = f"{mode} only"
        case "error":
            note = "error, rejects" if rejects else "error, allowed"
        case "excepted":
            note = f"excepted by {exception}"
        case "released":
            note = f"released as hold {exception}"
        case "skipped-when" | "skipped-unless":
            note = "does not apply"
        case _:
            note = "passes"
    return mark, severity if note is None else f"{severity}, {note}"


def _passing_line(rule: RuleTrace) -> str:
    if rule.result == "passed":
        return f"v {rule.id}"
    stage, traces = (
        ("when", rule.when) if rule.result == "skipped-when" else ("unless", rule.unless)
    )
    return f"- {rule.id}  ({stage}: {_reason(traces, blame=rule.result == 'skipped-unless')})"


def _reason(traces: Iterable[Trace], *, blame: bool) -> str:
    """Return the first test that made the answer, with its value."""
    for trace in traces:
        if trace.answer is blame:
            deciding = [leaf for leaf in trace.leaves() if leaf.answer is blame] or [trace]
            leaf = deciding[0]
            seen = f" is {', '.join(leaf.values)}: " if leaf.values else ": "
            return f"{leaf.words},{seen}{answer_word(leaf.answer)}"
    return "it does not hold"


def answer_word(answer: Answer) -> str:
    """Return yes, no, or error."""
    return "error" if isinstance(answer, UnknownValue) else "yes" if answer else "no"


def _rows(traces: Iterable[Trace], stage: str | None, *, depth: int = 0) -> list[_Row]:
    rows: list[_Row] = []
    for trace in traces:
        # A requirement is marked by how it went; other stages are named.
        label = stage if stage is not None else _requirement_mark(trace.answer)
        words = "  " * depth + trace.words
        values = "  ".join(trace.values)
        rows.append((label, words, values, answer_word(trace.answer), f":{trace.place.line}"))
        rows += _rows(trace.items, "" if stage is not None else None, depth=depth + 1)
    return rows


def _requirement_mark(answer: Answer) -> str:
    return {"yes": "v", "no": "x", "error": "?"}[answer_word(answer)]


def _aligned(rows: Sequence[_Row]) -> list[str]:
    if not rows:
        return []
    words = min(max(len(row[1]) for row in rows), _LONGEST_WORDS)
    values = min(max(len(row[2]) for row in rows), _LONGEST_WORDS)
    return [
        f"    {label:6} {said:{words}}  {seen:{values}}  {answer:5}  {line}"
        for label, said, seen, answer, line in rows
    ]


def _exception_lines(considered: ConsideredException) -> list[str]:
    name = considered.exception.name
    lines = [
        _right(
            f"    exception  {name}: {_STATES[considered.state]}"
            f" (until {considered.exception.ends:%Y-%m-%d %H:%M} UTC)",
            str(considered.exception.place),
        )
    ]
    return lines + _aligned(_rows(considered.when, "when"))


def _right(left: str, right: str) -> str:
    return f"{left}  {right:>{max(0, WIDTH - len(left) - 2)}}"


def explanation_json(explanation: Explanation, *, only: str | None = None) -> dict[str, Any]:
    """Return the explanation as plain values."""
    decision, change = explanation.decision, explanation.change
    return {
        "decision": decision.outcome.value,
        "cause": decision.cause,
        "table": change.table,
        "record_id": change.record_id,
        "operation": change.operation,
        "now": explanation.now.isoformat(),
        "policies": [
            {
                "policy": trace.policy.name,
                "mode": trace.policy.mode,
                "matched": answer_word(trace.matched),
                "match": [_trace_json(one) for one in trace.match],
                "rules": [
                    _rule_json(rule) for rule in trace.rules if only is None or concerns(rule, only)
                ],
            }
            for trace in explanation.policies
            if only is None or any(concerns(rule, only) for rule in trace.rules)
        ],
    }


def _rule_json(rule: RuleTrace) -> dict[str, Any]:
    place = rule.rule.place
    return {
        "id": rule.id,
        "result": rule.result,
        "effect": rule.rule.effect,
        "severity": rule.rule.severity,
        "contributes": rule.contributes.value,
        "file": place.file,
        "line": place.line,
        "message": rule.finding.message if rule.finding is not None else None,
        "error": rule.error,
        "exception": rule.exception,
        "when": [_trace_json(one) for one in rule.when],
        "require": [_trace_json(one) for one in rule.require],
        "unless": [_trace_json(one) for one in rule.unless],
        "exceptions": [
            {
                "name": one.exception.name,
                "state": one.state,
                "ends": one.exception.ends.isoformat(),
                "when": [_trace_json(each) for each in one.when],
            }
            for one in rule.exceptions
        ],
        "help": rule.finding.help if rule.finding is not None else rule.rule.help,
        "release": rule.rule.release.words if rule.rule.effect == "hold" else None,
    }


def _trace_json(trace: Trace) -> dict[str, Any]:
    found: dict[str, Any] = {
        "words": trace.words,
        "values": list(trace.values),
        "answer": answer_word(trace.answer),
        "file": trace.place.file,
        "line": trace.place.line,
        "column": trace.place.column,
    }
    if isinstance(trace.answer, UnknownValue):
        found["error"] = trace.answer.text
    if trace.items:
        found["items"] = [_trace_json(item) for item in trace.items]
    return found
