"""Making a decision durable with all that follows from it: the one place that does so.

Law 2: no decision leaves before it is on disk. What is recorded beside the decision is what it was
made on, so that it can be made again; of the columns no more than a rule may name or is guarded.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from guard import consequences
from guard.agreement import spends
from guard.answers import recorded_finding
from guard.case import FROM_DELIVERY, Case
from guard.columns.asked import AskedColumns
from guard.consequences import ALLOWING, Committed, OwedBy, Refusal
from guard.errors import HoldTaken
from guard.judge import Judged
from guard.ledger.codec import storable
from guard.ledger.entry import NO_EFFECTS, Effects, Entry, MirrorRow, Recorded, iso
from guard.ledger.parked import Agreement, HoldState, NewHold, NotParked, Released, Settled
from guard.ledger.port import Ledger
from guard.parking import asked_change, parked
from guard.ports.metrics import GuardMetrics
from guard.receive.change import base_names
from guard.told import ToldRows
from kernel.clock import Clock
from kernel.ids import new_id
from kernel.log import get_logger
from rules.engine.policy_set import PolicySet
from rules.model.change import Change, Facts
from rules.model.decision import Decision, Outcome

ENFORCE = "enforce"
OBSERVE = "observe"
# The cause of a decision by which an approver lets go on what it holds.
RELEASED = "released"
HOLD_HOURS = 72.0
TRIES_TO_PARK = 5
_NOTHING: Mapping[str, Any] = {}

log = get_logger("guard")


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What was decided, ready to be recorded.

    `cause` says what decided it (docs/answers.md). `private` and `public` go into the private and
    the public part of the record, beside what every record holds.
    """

    decision: Decision
    cause: str
    policy_set: PolicySet | None = None
    private: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)
    public: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)


@dataclass(frozen=True, slots=True)
class OfHold:
    """What a decision does to a hold.

    `is_asked_for` says that the change is not committed: it was judged because an approver
    releases it.
    """

    released: Released | None = None
    settled: Settled | None = None
    is_asked_for: bool = False


class DecisionRecorder:
    """Records decisions.

    `owed_by` says which obligations a decision on a committed change has; `told` learns of which
    rows deliveries say that an allowed change was committed. With `enforcement` observe every
    answer is 200 and nothing is owed; approvals are still withdrawn, because what was observed is
    no longer what was approved. A record that can't be written within `ledger_deadline_seconds` is
    given up. What is held waits `hold_hours` for an approver, unless a rule says otherwise.
    """

    def __init__(
        self,
        ledger: Ledger,
        clock: Clock,
        metrics: GuardMetrics,
        *,
        owed_by: OwedBy,
        told: ToldRows | None = None,
        enforcement: str = ENFORCE,
        ledger_deadline_seconds: float = 10.0,
        hold_hours: float = HOLD_HOURS,
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._metrics = metrics
        self._owed_by = owed_by
        self._told = told or ToldRows()
        self._enforcement = enforcement
        self._ledger_deadline_seconds = ledger_deadline_seconds
        self._hold_hours = hold_hours
        self._asked = AskedColumns()

    @property
    def enforces(self) -> bool:
        """Return whether decisions are carried out."""
        return self._enforcement == ENFORCE

    def judged(
        self,
        case: Case,
        judged: Judged,
        *,
        now: datetime,
        cause: str | None = None,
        copy: MirrorRow | None = None,
        is_superseded: bool = False,
        of_hold: OfHold | None = None,
        **public: Any,
    ) -> Awaitable[Recorded]:
        """Record the decision on a change, with what must follow.

        A change that later ones have superseded, each decided, takes away and owes nothing more.
        `cause` stands in for the decision's own; `copy` is what is known of a row that was read,
        from then on, if the decision allows it; `of_hold` is what the decision does to a hold;
        `public` is added to the record's public part. What rules hold is parked, and joins the open
        hold of the same change.
        Raises Unavailable, at the latest when awaited, if it could not be written in time, or
        HoldTaken if a hold was used meanwhile; then nothing was decided.
        """
        change = judged.change.change
        self._count(judged)
        cause = cause or (
            "deferred"
            if judged.deferred and judged.decision.outcome in ALLOWING
            else judged.decision.cause
        )
        if judged.deferred:
            public["deferred"] = list(judged.deferred)
        if judged.attributed_to:
            public["attributed_to"] = judged.attributed_to
        if judged.agreement is not None:
            public["hold_id"] = judged.agreement.hold_id
            public["released"] = [
                one.id for one in judged.decision.findings if one.result == "released"
            ]
        conclusion = Conclusion(
            judged.decision,
            cause,
            judged.policy_set,
            private=recorded_grounds(
                change,
                judged.facts,
                kept=self._asked.flat(change.table, judged.policy_set),
                sources=judged.sources,
                ages=judged.ages,
            )
            | _recorded_evidence(judged),
            public=public,
        )
        decision_id = new_id(now)
        effects = self._effects(case, judged, decision_id, of_hold)
        if of_hold is None and judged.agreement is not None and spends(judged.agreement):
            of_hold = _used(judged.agreement, case)
        if of_hold is not None:
            effects = replace(effects, released=of_hold.released, settled=of_hold.settled)
        if is_superseded:
            effects = replace(effects, tasks=())
        if copy is not None and judged.decision.outcome in ALLOWING:
            effects = replace(effects, mirror=replace(copy, decision_id=decision_id))
        if judged.decision.outcome is Outcome.HOLD and self.enforces and of_hold is None:
            return self._held(case, judged, conclusion, effects, now=now, decision_id=decision_id)
        return self.record(case, conclusion, now=now, effects=effects, decision_id=decision_id)

    def refused(self, case: Case, conclusion: Conclusion, *, now: datetime) -> Awaitable[Recorded]:
        """Record the refusal of a change that is not committed and could not be judged."""
        decision_id = new_id(now)
        effects = self._effects_before(case, conclusion.decision.outcome, decision_id)
        return self.record(case, conclusion, now=now, effects=effects, decision_id=decision_id)

    async def _held(
        self,
        case: Case,
        judged: Judged,
        conclusion: Conclusion,
        effects: Effects,
        *,
        now: datetime,
        decision_id: str,
    ) -> Recorded:
        """Record a decision that holds a change, and park the change with it."""
        change = asked_change(case, judged)
        for _ in range(TRIES_TO_PARK):
            held: NewHold | NotParked = NotParked.NOBODY
            if change is not None:
                known = await self._ledger.open_holds(change.key, change.requester_id)
                held = parked(change, judged, known, hold_hours=self._hold_hours, now=now)
            said: dict[str, Any] = (
                {"not_parked": held.value}
                if isinstance(held, NotParked)
                else {"hold_id": held.id, "hold_ends_at": iso(held.ends_at)}
            )
            stated = replace(conclusion, public={**conclusion.public, **said})
            new = None if isinstance(held, NotParked) else held
            try:
                return await self.record(
                    case,
                    stated,
                    now=now,
                    effects=replace(effects, parked=new),
                    decision_id=decision_id,
                )
            except HoldTaken as error:
                # The same change was parked by another delivery, which this one joins.
                taken = error
        raise taken

    def unread(self, case: Case, conclusion: Conclusion, *, now: datetime) -> Awaitable[Recorded]:
        """Record the refusal of a committed change that could not be judged yet.

        In enforcement its approvals end, and that it is judged is owed.
        """
        if not self.enforces:
            return self.record(case, conclusion, now=now)
        decision_id = new_id(now)
        effects = consequences.of_unread(case.table, case.record_id, decision_id=decision_id)
        refusal = Committed(case, decision_id, conclusion.decision.outcome, change=None)
        effects = replace(effects, tasks=self._owed_by(refusal))
        return self.record(case, conclusion, now=now, effects=effects, decision_id=decision_id)

    def record(
        self,
        case: Case,
        conclusion: Conclusion,
        *,
        now: datetime,
        effects: Effects = NO_EFFECTS,
        decision_id: str | None = None,
    ) -> Awaitable[Recorded]:
        """Make a conclusion durable and return it, or what was recorded for the same delivery.

        What waits is the ledger alone: nothing of what was judged is kept alive meanwhile.
        """
        decision = conclusion.decision
        contributing = (
            sorted(
                (f for f in decision.findings if f.contributes is not Outcome.ALLOW),
                key=lambda f: -f.contributes.rank,
            )
            if decision.findings
            else ()
        )
        policy_set = conclusion.policy_set
        # What is absent from a record is empty or false.
        public: dict[str, Any] = {
            "operation": case.operation,
            "message": case.message,
            "mode": case.mode,
            "stage": case.stage,
            "source": case.source,
            "organization_id": case.organization_id,
            "operation_id": case.operation_id,
            "request_id": case.request_id,
            "correlation_id": case.correlation_id,
            "initiating_user_id": case.initiating_user_id,
            "policy_set": policy_set.digest if policy_set is not None else None,
            "enforcement": self._enforcement,
            **conclusion.public,
        }
        if case.on_behalf_by is not None:
            public["on_behalf_by"] = case.on_behalf_by
        if contributing:
            public["rules"] = [finding.id for finding in contributing]
        if effects.tasks:
            public["obliged"] = True
        private = {**conclusion.private, "evaluated": decision.evaluated}
        if decision.findings:
            private["findings"] = [recorded_finding(finding) for finding in decision.findings]
        entry = Entry(
            id=decision_id or new_id(now),
            decided_at=now,
            decision=decision.outcome.value,
            cause=conclusion.cause,
            table=case.table,
            record_id=case.record_id,
            status=self._status(case, decision.outcome),
            key=case.key,
            public=public,
            private=private,
        )
        self._metrics.decided(decision=entry.decision, cause=entry.cause, source=case.source)
        recording = self._ledger.record(
            entry,
            effects=effects,
            policy_set=policy_set,
            deadline_seconds=self._ledger_deadline_seconds,
        )
        is_refused = decision.outcome not in ALLOWING and conclusion.cause != RELEASED
        return _told(recording, case.source) if is_refused else recording

    def _status(self, case: Case, outcome: Outcome) -> int:
        if not case.is_synchronous or not self.enforces or outcome in ALLOWING:
            return 200
        return 403

    def _effects(
        self, case: Case, judged: Judged, decision_id: str, of_hold: OfHold | None
    ) -> Effects:
        change, outcome = judged.change, judged.decision.outcome
        if of_hold is not None and of_hold.is_asked_for:
            # Nothing is committed: what an approver released is done from now on.
            releases = None if of_hold.released is None else of_hold.released.hold_id
            asked = Committed(case, decision_id, outcome, change, releases=releases)
            return Effects(tasks=self._owed_by(asked) if releases is not None else ())
        if case.is_synchronous:
            return self._effects_before(case, outcome, decision_id, judged.attributed_to)
        if not change.record_id:
            return NO_EFFECTS
        if outcome in ALLOWING:
            effects = consequences.of_allowed(change)
            if case.source == FROM_DELIVERY:
                self._told.add(case.table, case.record_id)
        else:
            effects = consequences.of_refused(change, outcome, decision_id=decision_id)
        if not self.enforces:
            return effects
        decided = Committed(case, decision_id, outcome, change, judged.attributed_to)
        owed = self._owed_by(decided)
        return replace(effects, tasks=owed) if owed else effects

    def _effects_before(
        self, case: Case, outcome: Outcome, decision_id: str, attributed_to: str | None = None
    ) -> Effects:
        """Nothing follows from an answer before the commit: a later step may still roll it back.

        That a change was refused is true all the same, and may be told.
        """
        if outcome in ALLOWING or not self.enforces:
            return NO_EFFECTS
        owed = self._owed_by(Refusal(case, decision_id, outcome, attributed_to))
        return Effects(tasks=owed) if owed else NO_EFFECTS

    def now(self) -> datetime:
        """Return the present moment."""
        return self._clock.now()

    def _count(self, judged: Judged) -> None:
        for path in judged.facts.missing:
            self._metrics.fact_missing(path)
        for finding in judged.decision.findings:
            self._metrics.rule_failed(finding.id, finding.result)


def _used(agreement: Agreement, case: Case) -> OfHold:
    """Return that a pass is used by the change which it let through."""
    settled = Settled(agreement.hold_id, (HoldState.APPROVED,), HoldState.USED, case.record_id)
    return OfHold(settled=settled)


async def _told(recording: Awaitable[Recorded], source: str) -> Recorded:
    """Return what was recorded once it is durable, and say so in the log: ids, and no values."""
    recorded = await recording
    public = recorded.public
    log.warning(
        "change_refused",
        decision=recorded.decision,
        decision_id=recorded.id,
        cause=recorded.cause,
        organization_id=public.get("organization_id"),
        table=recorded.table,
        record_id=recorded.record_id,
        initiating_user_id=public.get("initiating_user_id"),
        rules=public.get("rules", []),
        mode=public.get("mode"),
        source=source,
        enforcement=public.get("enforcement"),
        is_repeat=recorded.is_repeat,
    )
    return recorded


def recorded_grounds(
    change: Change,
    facts: Facts,
    *,
    kept: frozenset[str],
    sources: Mapping[str, str],
    ages: Mapping[str, float] = _NOTHING,
) -> dict[str, Any]:
    """Return what a decision was made on, as it is recorded: of the columns those that are kept."""
    before, after = change.before, change.after
    # Beside what differs, what is now known to be empty and was not known at all.
    altered = (change.differing | (after.keys() - before.keys())) & kept
    if not kept.issuperset(before):
        before = {name: value for name, value in before.items() if name in kept}
    request = {name: value for name, value in change.request.items() if name != "columns"}
    grounds: dict[str, Any] = {
        "before": storable(before),
        "altered": storable({name: after.get(name) for name in altered}),
        # By their logical names and once: that is how the rules read them.
        "sent": change.request.get("columns") or base_names(change.sent),
        "request": storable(request),
    }
    if facts.values:
        grounds["facts"] = storable(facts.values)
    if facts.missing:
        grounds["missing"] = facts.missing
    if sources:
        grounds["sources"] = sources
    if ages:
        grounds["ages"] = {path: seconds for path, seconds in ages.items() if path in facts.values}
    return grounds


def _recorded_evidence(judged: Judged) -> dict[str, Any]:
    """Return what else is recorded of a change that is held, for whoever may release it."""
    evidence: dict[str, Any] = {}
    if judged.identities:
        evidence["identities"] = dict(judged.identities)
    if judged.evidence.values:
        evidence["evidence"] = storable(judged.evidence.values)
    return evidence
