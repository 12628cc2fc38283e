"""The guard's answer on one change, and the law by which findings make it.

The law, in order of strength: **reject > hold > warn > allow**.

1. A rule that fails and is not excepted contributes its effect (reject or hold) in a policy of mode
   `enforce`, a warning in mode `warn`, nothing in mode `audit`.
2. A rule that errs contributes reject in a policy of mode `enforce` with `onError: reject`,
   whatever its effect: a rule that could not be evaluated gives an approver nothing to decide on.
   Anywhere else it contributes nothing; it is recorded.
3. The decision is the strongest contribution. No contribution, or no matching policy, is allow.

Every applicable rule is evaluated and every failure reported; findings stand in the order of their
ids, so that the order of policies and rules in files never shows.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from operator import attrgetter
from typing import Any, Literal

from rules.model.effects import Effect


class Outcome(StrEnum):
    """What happens to the change; ordered from the weakest to the strongest."""

    ALLOW = "allow"
    WARN = "warn"
    HOLD = "hold"
    REJECT = "reject"

    rank: int
    """0 for the weakest outcome and 3 for the strongest."""

    def __init__(self, value: str) -> None:
        self.rank = len(type(self).__members__)


_by_id = attrgetter("id")

Cause = Literal["rules", "error", "no-policy"]


@dataclass(frozen=True)
class Finding:
    """One rule's answer on one change; a rule that passed or did not apply gives none.

    `id` is "policy/rule". `effect` is what it means under the policy's mode, `declared` the effect
    that the rule would have in mode enforce. `error` says why a rule erred and `unknown` which
    paths could not be learnt, if that alone was the reason. `exception` names what let a failure
    pass: an exception, or of one that was released the hold.
    """

    policy: str
    rule: str
    id: str
    result: Literal["fail", "error", "excepted", "released"]
    mode: str
    effect: Effect | Literal["warn", "error", "audit"]
    declared: Effect
    severity: str
    message: str
    help: str | None
    exception: str | None
    error: str | None
    contributes: Outcome
    unknown: tuple[str, ...] = ()

    def but(self, **changed: Any) -> Finding:
        """Return the same finding with other values in some fields.

        What `dataclasses.replace` does in many times as long: each rule's finding is prepared when
        it is compiled, and what a change adds is put in. For this the class has no slots.
        """
        other = object.__new__(Finding)
        object.__setattr__(other, "__dict__", {**self.__dict__, **changed})
        return other


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer with what made it.

    `evaluated` holds the ids of the enforced rules that applied, passing ones included; `cause`
    says whether rules or errors made the outcome, or that no policy matched.
    """

    outcome: Outcome
    cause: Cause
    findings: tuple[Finding, ...] = ()
    evaluated: tuple[str, ...] = ()

    @property
    def contributing(self) -> tuple[Finding, ...]:
        """Return the findings that made the outcome; none when it is allow."""
        if self.outcome is Outcome.ALLOW:
            return ()
        return tuple(f for f in self.findings if f.contributes is self.outcome)


def strongest(findings: Iterable[Finding]) -> Outcome:
    """Return the strongest contribution; allow when there is none."""
    outcome = Outcome.ALLOW
    for finding in findings:
        if finding.contributes.rank > outcome.rank:
            outcome = finding.contributes
    return outcome


def combine(findings: Iterable[Finding], *, evaluated: tuple[str, ...], matched: bool) -> Decision:
    """Return the decision that the findings make by the law above."""
    ordered = tuple(sorted(findings, key=_by_id))
    outcome = strongest(ordered)
    cause: Cause = "rules" if matched else "no-policy"
    if outcome.rank:
        cause = "error"
        for finding in ordered:
            if finding.contributes is outcome and finding.result != "error":
                cause = "rules"
                break
    return Decision(outcome, cause, ordered, evaluated)


def released(decision: Decision, rules: Collection[str], *, by: str) -> Decision:
    """Return the decision with what these rules hold released by that hold.

    What rejects, errs or warns counts as before, and so does whatever another rule holds.
    """
    if not any(is_releasable(finding, rules) for finding in decision.findings):
        return decision
    findings = released_findings(decision.findings, rules, by=by)
    return combine(findings, evaluated=decision.evaluated, matched=True)


def released_findings(
    findings: Iterable[Finding], rules: Collection[str], *, by: str
) -> list[Finding]:
    """Return the findings with those of these rules that hold released by that hold."""
    return [
        one.but(result="released", exception=by, contributes=Outcome.ALLOW)
        if is_releasable(one, rules)
        else one
        for one in findings
    ]


def is_releasable(finding: Finding, rules: Collection[str]) -> bool:
    """Return whether a finding is of one of these rules, and holds."""
    return finding.contributes is Outcome.HOLD and finding.id in rules


def set_aside(decision: Decision, roots: tuple[str, ...]) -> tuple[Decision, tuple[str, ...]]:
    """Take out the errors that stem only from unknown paths under the given roots.

    Returns the decision that is left and the ids of the rules set aside, which must be judged
    again when the paths can be read. A root is a path prefix such as "new.owner.".
    """
    aside = tuple(
        finding
        for finding in decision.findings
        if finding.unknown and all(path.startswith(roots) for path in finding.unknown)
    )
    if not aside:
        return decision, ()
    kept = [finding for finding in decision.findings if finding not in aside]
    left = combine(kept, evaluated=decision.evaluated, matched=True)
    ids = tuple(finding.id for finding in aside)
    evaluated = tuple(rule for rule in left.evaluated if rule not in ids)
    return replace(left, evaluated=evaluated), ids
