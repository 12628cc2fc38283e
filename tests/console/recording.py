"""Decisions in a ledger, recorded in the form in which the guard records them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from guard.answers import recorded_finding
from guard.ledger.entry import Entry, Sealed
from guard.ledger.stored import StoredLedger
from guard.record import recorded_grounds
from kernel.clock import FrozenClock
from kernel.database import Database
from kernel.ids import new_id
from kernel.tables import microseconds
from rules.engine.decide import decide
from rules.engine.policy_set import PolicySet
from rules.model.change import Change, Facts
from rules.model.decision import Outcome
from rules.replay.recorded import Row

RULE = "own-address-only/same-as-owner"
POLICY = """\
apiVersion: guard/v1
kind: Policy
name: own-address-only
severity: critical
match:
  entity: mailbox
  operations: [create, update]
  when:
    - field: address
      changed: true
rules:
  - id: same-as-owner
    require:
      - field: address
        equals: {field: owner.upn}
    unless:
      - field: owner.type
        in: [queue, team]
    message: "{address} is not the address of the mailbox's owner ({owner.upn})."
    help: Set the address to the owner's sign-in name.
"""


def a_folder(path: Path, text: str = POLICY) -> Path:
    """Make a policy folder of one policy."""
    path.mkdir(exist_ok=True)
    (path / "own-address-only.yaml").write_text(text)
    return path


def as_row(item: Sealed, *, mask: bool = False) -> Row:
    """Return a sealed entry as replaying reads it from the ledger."""
    entry = item.entry
    private = None if mask else item.private
    at = microseconds(entry.decided_at)
    return entry.id, at, entry.decision, entry.table, entry.record_id, item.public, private


def an_entry(change: Change, facts: Facts, policy_set: PolicySet, *, now: datetime) -> Entry:
    """Return what the guard would record of this change."""
    decision = decide(change, policy_set, facts, now=now)
    return Entry(
        id=new_id(now),
        decided_at=now,
        decision=decision.outcome.value,
        cause=decision.cause,
        table=change.table,
        record_id=change.record_id,
        status=200,
        key=None,
        public={
            "operation": change.operation,
            "mode": 1,
            "stage": 40,
            "correlation_id": "c1",
            "initiating_user_id": "u1",
            "rules": [f.id for f in decision.findings if f.contributes is not Outcome.ALLOW],
            "policy_set": policy_set.digest,
        },
        private={
            "findings": [recorded_finding(finding) for finding in decision.findings],
            "evaluated": list(decision.evaluated),
            **recorded_grounds(
                change, facts, kept=frozenset({*change.before, *change.after}), sources={}
            ),
            "sources": {},
        },
    )


async def recorded(
    database: Database,
    clock: FrozenClock,
    policy_set: PolicySet,
    given: Sequence[tuple[Change, Facts]],
) -> list[str]:
    """Record a decision on each change, a minute apart; return their ids, oldest first."""
    ledger = StoredLedger(database, clock)
    ids = []
    for change, facts in given:
        entry = an_entry(change, facts, policy_set, now=clock.now())
        await ledger.record(entry, policy_set=policy_set)
        ids.append(entry.id)
        clock.advance(60)
    return ids
