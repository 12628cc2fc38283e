"""A recorded decision as the drafting commands need it: the change, its facts, its findings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from guard.ledger.listing import get_decision
from guard.ledger.replay import find_past
from kernel.errors import InputRefused
from rules.model.catalogue import Catalogue
from rules.model.change import Change, Facts
from rules.model.decision import Finding
from rules.replay.ledger_format import finding_from
from rules.testing.drafting import draft_case, draft_exceptions

_OWN = "guard"


@dataclass(frozen=True, slots=True)
class PastChange:
    """What was decided, on what, and how."""

    id: str
    decided_at: datetime
    decision: str
    change: Change
    facts: Facts
    findings: tuple[Finding, ...]


def recorded_change(connection: Connection, decision_id: str) -> PastChange:
    """Return a recorded decision with its change; of a confirmation, the decision confirmed.

    Raises DecisionUnknown, and InputRefused for one that no policy can make again.
    """
    found = get_decision(connection, decision_id)
    confirmed = found.get("confirms")
    if confirmed and confirmed != found["id"]:
        return recorded_change(connection, confirmed)
    private: dict[str, Any] | None = found["private"]
    if private is None:
        raise InputRefused(
            f"The private part of decision {decision_id} was masked: its values are gone.",
            hint="Choose a decision that is not masked.",
        )
    findings = tuple(finding_from(one) for one in private.get("findings", ()))
    if "after" not in private or any(finding.policy == _OWN for finding in findings):
        raise InputRefused(
            f"Decision {decision_id} (cause {found['cause']}) was not made by policies.",
            hint="Choose a decision of the cause rules, error or no-policy.",
        )
    past = find_past(connection, found["id"])
    return PastChange(
        id=past.id,
        decided_at=past.now,
        decision=past.outcome,
        change=past.change,
        facts=past.facts,
        findings=findings,
    )


def case_text(past: PastChange, catalogue: Catalogue) -> str:
    """Return a recorded decision as a policy test: this change, these facts, this outcome."""
    return draft_case(
        past.change,
        past.facts,
        name=f"decision {past.id}",
        now=past.decided_at,
        decision=past.decision,
        findings=past.findings,
        catalogue=catalogue,
    )


def exception_texts(
    past: PastChange,
    catalogue: Catalogue,
    *,
    now: datetime,
    words: Mapping[str, str],
    names: Mapping[str, str],
) -> dict[str, str]:
    """Return drafts of the exceptions that would have let a change pass, by their file's path.

    `words` may hold reason, ticket and approvedBy; `names` what is known of the ids in it.
    """
    drafts = draft_exceptions(
        past.change,
        past.facts,
        past.findings,
        catalogue=catalogue,
        decision_id=past.id,
        today=now.date(),
        words=words,
        names=names,
    )
    return {f"exceptions/{name}.yaml": text for name, text in drafts.items()}
