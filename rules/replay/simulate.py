"""Recorded changes decided again under another policy set; only what differs is kept.

A change is not decided again when every rule that could concern it is the same in both sets: then
the decision is the same, because decisions are pure. What cannot be decided again (masked
records, facts that nobody recorded) is counted with its reason, never guessed.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from msgspec import MsgspecError

from rules.diff.compare import changed_rules
from rules.diff.meaning import rules_alone
from rules.engine.decide import decide, failures
from rules.engine.policy_set import PolicySet, build_index
from rules.model.catalogue import FieldReference
from rules.model.change import NOTHING, Change, Facts, differing_of, overlaid
from rules.model.decision import Decision, Finding, Outcome, released, set_aside, strongest
from rules.policy.conditions import references_of
from rules.policy.policy import Policy, trees_of
from rules.replay.ledger_format import (
    MOMENT,
    ValueUnreadable,
    decode_head,
    decode_names,
    decode_public,
    decode_values,
    moment_of,
    values_from,
)
from rules.replay.recorded import (
    OUTCOMES,
    OWN_LAWS,
    Obstacle,
    PastDecision,
    Row,
    Unreplayable,
    past_from,
)
from rules.replay.tally import Shift, Tally, count_in
from rules.replay.unrecorded import NONE, Unrecorded

# A time for rules that read none: making one takes a twentieth of the time of a change.
_NOT_READ: Final = datetime(1970, 1, 1, tzinfo=UTC)
_OWNER_ROOT: Final = ("new.owner.",)
FindSet = Callable[[str], PolicySet | None]


class Simulation:
    """Decides recorded changes under one policy set and tallies what differs.

    With `baseline` the comparison is with what that set decides; without, with what was recorded,
    and `find_set` gives the sets of the records by digest.
    """

    def __init__(
        self,
        policy_set: PolicySet,
        *,
        baseline: PolicySet | None = None,
        find_set: FindSet | None = None,
        tally: Tally | None = None,
    ) -> None:
        self.tally = tally or Tally()
        self._set = policy_set
        self._baseline = baseline
        self._find_set = find_set
        self._affected: dict[str | None, _Affected | None] = {}
        self._sets: dict[str | None, PolicySet | None] = {policy_set.digest: policy_set}
        self._unrecorded = Unrecorded(policy_set)
        if baseline is not None:
            self._unrecorded_before = Unrecorded(baseline)
            self._sets[baseline.digest] = baseline
        policies = [*policy_set.policies, *(baseline.policies if baseline is not None else ())]
        self._reads_request = any(map(_reads_request, policies))

    def take_rows(self, rows: Iterable[Row]) -> None:
        """Decide the changes of ledger rows."""
        collecting = gc.isenabled()
        # Nothing made here refers back to itself; the collector would walk for a fifth of the time.
        gc.disable()
        try:
            self._take_rows(rows)
        finally:
            if collecting:
                gc.enable()

    def _take_rows(self, rows: Iterable[Row]) -> None:
        for row in rows:
            try:
                self._take_row(row)
            except Unreplayable as error:
                self.set_apart(row[0], error.obstacle)
            except (MsgspecError, ValueUnreadable):
                self.set_apart(row[0], Obstacle.NO_VALUE)

    def _take_row(self, row: Row) -> None:
        """Decide one row, reading no more of it than is needed to know that nothing differs."""
        # 1. The public part alone tells what has no judgement of its own.
        decision_id, decided_at, outcome, table, record_id, public, private = row
        stated = decode_public(public)
        if stated.confirms is not None:
            self.tally.confirmations += 1
            return
        if private is None:
            raise Unreplayable(Obstacle.MASKED)
        # 2. What is out of the ordinary goes the long way, which names what is wrong with it.
        head = decode_head(private)
        before, altered, operation = head.before, head.altered, stated.operation
        rules = stated.rules
        if (
            before is None
            or altered is None
            or operation is None
            or outcome not in OUTCOMES
            or (rules and rules[0].startswith(OWN_LAWS))
            or stated.released
        ):
            self.take(past_from(row))
            return
        # 3. A change that no differing rule can concern is decided as it was: laws 12 and 14.
        digest = stated.policy_set
        affected = self._affected[digest] if digest in self._affected else self._learn(digest)
        differing = differing_of(before, altered)
        if affected is not None and not affected.index.concerns(table, operation, differing):
            self.tally.replayed += 1
            return
        # 4. Now the rest is read, and no more of it than some rule names.
        known = head.facts
        # One character is looked for in a tenth of the time that three take.
        if MOMENT[0] in private and MOMENT in private:
            before, altered, known = map(values_from, (before, altered, known))
        sent, request, now = NONE, NOTHING, _NOT_READ
        if self._reads_request:
            now = moment_of(decided_at)
            sent = frozenset(decode_names(head.sent))
            request = values_from(decode_values(head.request))
        change = overlaid(
            table, operation, record_id, before=before, altered=altered,
            sent=sent, request=request, differing=differing,
        )  # fmt: skip
        facts = Facts(known, head.missing)
        # 5. A look at the rules that differ; in doubt, the decision is made in full.
        self.tally.evaluated += 1
        if self._is_same(change, facts, now, affected, outcome=outcome, rules=rules):
            self.tally.replayed += 1
            return
        past = PastDecision(
            decision_id, moment_of(decided_at), outcome, tuple(rules), tuple(stated.deferred),
            digest, change, facts,
        )  # fmt: skip
        self._judge(past)

    def take(self, past: PastDecision) -> None:
        """Decide one recorded change and tally it."""
        digest, change = past.policy_set, past.change
        affected = self._affected[digest] if digest in self._affected else self._learn(digest)
        if affected is not None and not affected.index.concerns(
            change.table, change.operation, change.differing
        ):
            self.tally.replayed += 1
            return
        self.tally.evaluated += 1
        # What an approver released is not to be seen at a look.
        if not past.released and self._is_same(
            change, past.facts, past.now, affected, outcome=past.outcome, rules=past.rules
        ):
            self.tally.replayed += 1
        else:
            self._judge(past)

    def _judge(self, past: PastDecision) -> None:
        """Decide in full what may differ."""
        baseline = self._baseline
        decision = decide(past.change, self._set, past.facts, now=past.now)
        if baseline is None:
            self._compare(past, decision, past.outcome, past.rules)
            return
        before = decide(past.change, baseline, past.facts, now=past.now)
        lacking = self._unrecorded_before.path(past, before, asked=self._asked)
        if lacking is not None:
            self.set_apart(past.id, _lacks(lacking))
            return
        before = _as_then(past, before)
        self._compare(past, decision, before.outcome.value, contributing_rules(before))

    def _is_same(
        self,
        change: Change,
        facts: Facts,
        now: datetime,
        affected: _Affected | None,
        *,
        outcome: str,
        rules: Sequence[str],
    ) -> bool:
        """Tell at a look whether the decision is as it was; what is in doubt is decided in full.

        The rules that differ are asked alone where what they say is all that can differ.
        """
        if affected is None or (self._baseline is None and affected.made_one_of(rules)):
            found = failures(change, self._set, facts, now=now)
            if not found:
                return found is not None and outcome == "allow" and not rules
            return strongest(found).value == outcome and {
                one.id for one in _counting(found)
            } == set(rules)
        found = failures(change, affected.new, facts, now=now)
        if found is None or self._baseline is None:
            return found is not None and not _counting(found)
        before = failures(change, affected.old, facts, now=now)
        return before is not None and _counting(found) == _counting(before)

    def _learn(self, digest: str | None) -> _Affected | None:
        """Return what differs between a record's set and ours; None when its set isn't known."""
        known = self._baseline or self._recorded_set(digest)
        found = _Affected(known, self._set) if known is not None else None
        self._affected[digest] = found
        return found

    def _recorded_set(self, digest: str | None) -> PolicySet | None:
        """Return the set that a record names, looked for once."""
        if digest not in self._sets:
            found = self._find_set(digest) if digest is not None and self._find_set else None
            self._sets[digest] = found
        return self._sets[digest]

    def _asked(self, past: PastDecision) -> frozenset[str]:
        """Return the facts that were asked for then: what is lacking of them was not to be had."""
        recorded = self._recorded_set(past.policy_set)
        return recorded.candidates(past.change).facts if recorded is not None else NONE

    def _compare(
        self, past: PastDecision, decision: Decision, outcome: str, rules: tuple[str, ...]
    ) -> None:
        tally = self.tally
        if not decision.findings and outcome == "allow" and not rules:
            tally.replayed += 1
            return
        lacking = self._unrecorded.path(past, decision, asked=self._asked)
        if lacking is not None:
            self.set_apart(past.id, _lacks(lacking))
            return
        count_answer(tally, past, _as_then(past, decision), outcome, rules)

    def set_apart(self, decision_id: str, reason: str) -> None:
        """Count a record that cannot be decided again: an Obstacle, or what it lacks."""
        if reason is Obstacle.CONFIRMS:
            self.tally.confirmations += 1
            return
        count_in(self.tally.unreplayable, str(reason), {"id": decision_id})


def count_answer(
    tally: Tally, past: PastDecision, decision: Decision, outcome: str, rules: Sequence[str]
) -> None:
    """Count how a decision stands to the answer, and the rules, that it is compared with."""
    tally.replayed += 1
    now = contributing_rules(decision)
    if decision.outcome.value == outcome:
        if set(now) == set(rules):
            return
        tally.other_rules += 1
    else:
        tally.differing += 1
    for rule in set(now) - set(rules):
        tally.rules.setdefault(rule, Shift()).now += 1
    for rule in set(rules) - set(now):
        tally.rules.setdefault(rule, Shift()).no_longer += 1
    sample = {
        "id": past.id,
        "decided_at": past.now.isoformat(),
        "table": past.change.table,
        "record_id": past.change.record_id,
        "rules_before": sorted(rules),
        "rules_now": sorted(now),
        "messages": [one.message for one in decision.contributing],
    }
    count_in(tally.cells, f"{outcome} -> {decision.outcome.value}", sample)


def _lacks(path: str) -> str:
    return f"{path} was not recorded"


def decide_again(past: PastDecision, policy_set: PolicySet) -> Decision:
    """Return what a set decides on a recorded change, deferring what was deferred then."""
    return _as_then(past, decide(past.change, policy_set, past.facts, now=past.now))


def contributing_rules(decision: Decision) -> tuple[str, ...]:
    """Return the ids of the rules that contribute anything, as the ledger records them."""
    return tuple(f.id for f in decision.findings if f.contributes is not Outcome.ALLOW)


def _as_then(past: PastDecision, decision: Decision) -> Decision:
    """Return the decision with what was done about it then.

    The owner's rules are left to the committed row if they were, and what an approver released of
    it stays released: a person's word is no matter of policies.
    """
    if past.deferred:
        decision = set_aside(decision, _OWNER_ROOT)[0]
    return released(decision, past.released, by=past.hold_id) if past.released else decision


def _counting(findings: list[Finding]) -> list[Finding]:
    """Return the findings that contribute anything, in the order of their ids."""
    if not findings:
        return findings
    counting = [finding for finding in findings if finding.contributes.rank]
    return sorted(counting, key=lambda one: one.id)


class _Affected:
    """The rules that differ between two sets: alone as each set has them, and indexed."""

    def __init__(self, old: PolicySet, new: PolicySet) -> None:
        self._was, now = changed_rules(old, new)
        self.old, self.new = _alone(old, self._was), _alone(new, now)
        both = (*self.old.policies, *self.new.policies)
        self.index = build_index(both)

    def made_one_of(self, rules: Iterable[str]) -> bool:
        """Tell whether a rule that is not as it was made one of these contributions."""
        return not self._was.isdisjoint(rules)


def _alone(policy_set: PolicySet, ids: frozenset[str]) -> PolicySet:
    names: dict[str, set[str]] = {}
    for policy, _, rule in (id.partition("/") for id in ids):
        names.setdefault(policy, set()).add(rule)
    kept = tuple(
        rules_alone(policy, names[policy.name])
        for policy in policy_set.policies
        if policy.name in names
    )
    return replace(policy_set, policies=kept, index=build_index(kept))


def _reads_request(policy: Policy) -> bool:
    for table in policy.tables.values():
        named = [reference for tree in trees_of(table) for reference in references_of(tree)]
        for rule in table.rules:
            for message in rule.messages:
                named += [piece for piece in message.pieces if isinstance(piece, FieldReference)]
        if any(reference.root == "request" for reference in named):
            return True
    return False
