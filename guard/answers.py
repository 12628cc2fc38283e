"""Recorded decisions become the bodies of answers (docs/answers.md)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from guard.ledger.codec import text_of
from guard.ledger.entry import Recorded
from guard.ledger.parked import NotParked
from rules.model.decision import Finding

JSON = b"application/json"
PROBLEM = b"application/problem+json"
TITLES = {
    400: "The delivery is not readable",
    401: "The webhook key is wrong or missing",
    403: "The change is not allowed",
    405: "Only POST is served here",
    413: "The delivery is too large",
    503: "The guard is not ready",
}
_SHOWN = ("reject", "hold", "warn", "error")
_MOST_DETAIL = 2000


def recorded_finding(finding: Finding) -> dict[str, Any]:
    """Return a finding as the ledger keeps it."""
    return {
        "policy": finding.policy,
        "rule": finding.rule,
        "result": finding.result,
        "mode": finding.mode,
        "effect": finding.effect,
        "severity": finding.severity,
        "message": finding.message,
        "help": finding.help,
        "exception": finding.exception,
        "error": finding.error,
        "contributes": finding.contributes.value,
        "unknown": list(finding.unknown),
    }


def shown_findings(recorded: Recorded) -> list[dict[str, Any]]:
    """Return the findings that a caller sees: what rejects, holds, warns or errs."""
    findings = (recorded.private or {}).get("findings", ())
    shown = []
    for one in findings:
        if (
            one["result"] in ("excepted", "released")
            or one["mode"] == "audit"
            or one["effect"] not in _SHOWN
        ):
            continue
        finding = {name: one[name] for name in ("policy", "rule", "effect", "severity", "message")}
        if one["help"]:
            finding["help"] = one["help"]
        shown.append(finding)
    return shown


def answer_of(recorded: Recorded) -> tuple[int, bytes, bytes]:
    """Return status, content type and body of the answer to a decided delivery."""
    findings = shown_findings(recorded)
    answer: dict[str, Any] = {
        "decision": recorded.decision,
        "decision_id": recorded.id,
        "cause": recorded.cause,
        "findings": findings,
    }
    for name in ("hold_id", "hold_ends_at", "not_parked"):
        if name in recorded.public:
            answer[name] = recorded.public[name]
    if recorded.public.get("enforcement") == "observe":
        answer["enforcement"] = "observe"
    if recorded.status == 200:
        return 200, JSON, text_of(answer).encode()
    detail = " ".join(finding["message"] for finding in findings)[:_MOST_DETAIL]
    if recorded.decision == "hold":
        detail = f"{_held(recorded)} {detail}".rstrip()
    return recorded.status, PROBLEM, problem(recorded.status, detail or None, answer)


def _held(recorded: Recorded) -> str:
    """Return what becomes of a change that is held, for whoever asked for it."""
    hold_id = recorded.public.get("hold_id")
    if hold_id is not None:
        return f"The change is held as {hold_id}: a second person has to release it."
    why = recorded.public.get("not_parked")
    told = "" if why is None else f" It could not be parked: {NotParked(why).doc}"
    return f"The change is held: a second person has to agree to it.{told}"


def problem(status: int, detail: str | None, more: Mapping[str, Any] | None = None) -> bytes:
    """Return a problem+json body."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": TITLES[status],
        "status": status,
        "detail": detail or TITLES[status],
    }
    return text_of({**body, **(more or {})}).encode()
