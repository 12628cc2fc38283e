"""A message and its facts become a verdict: the sync's answer on one item, by the same language.

Policies on an entity whose effects are those of messages are evaluated by `decide` like all others;
what would reject a record skips a message, what would hold one keeps it to its metadata. The
strongest contribution wins: **skip > metadata-only > track**. An error of an enforced policy with
`onError: reject` skips: what could not be judged is not copied.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from kernel.errors import Bug
from rules.engine.decide import decide
from rules.engine.policy_set import PolicySet
from rules.model.change import Change, Facts
from rules.model.decision import Cause, Finding, Outcome
from rules.model.effects import MESSAGES, VERDICTS


class Fate(StrEnum):
    """What becomes of a message; ordered from the weakest to the strongest."""

    TRACK = "track"
    METADATA_ONLY = "metadata-only"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class MessageVerdict:
    """The answer on one message with what made it; the fields are those of a decision."""

    fate: Fate
    cause: Cause
    findings: tuple[Finding, ...] = ()
    evaluated: tuple[str, ...] = ()
    contributing: tuple[Finding, ...] = ()


def judge_message(
    change: Change, policy_set: PolicySet, facts: Facts, *, now: datetime
) -> MessageVerdict:
    """Return the verdict on a message, with every finding.

    A message stands as the creation of a record of its entity: the columns are its fields.
    """
    # A record judged as a message would be allowed where it must be rejected: a fault of ours.
    entity = policy_set.catalogue.entities.get(change.table)
    if entity is not None and entity.effects is not MESSAGES:
        raise Bug(f"{change.table} is a record, not a message.", hint="Let `decide` judge it.")
    decision = decide(change, policy_set, facts, now=now)
    return MessageVerdict(
        fate=Fate(VERDICTS[decision.outcome.value]),
        cause=decision.cause,
        findings=decision.findings,
        evaluated=decision.evaluated,
        # A message has nobody who could be warned.
        contributing=tuple(f for f in decision.contributing if f.contributes is not Outcome.WARN),
    )
