"""Judging a change: facts are gathered, the rules decide, and two laws are added to them.

Law 3: an approval that the platform makes by itself is attributed to whoever scheduled the test of
the mailbox; without such a person it is rejected. Beside it: a Create whose owner isn't readable
yet leaves the owner rules to stage 40.

Judging reads and writes nothing down; `record` makes a decision durable.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from guard.active_policies import ActivePolicies
from guard.agreement import pass_for, related_ids, standing
from guard.columns.change import GuardedChange
from guard.columns.table import APPROVAL, APPROVED, TABLES, TableRole
from guard.facts.actor import FROM_DATAVERSE, FROM_ENTRA
from guard.facts.fact_sheet import Absence, FactSheet, Question
from guard.facts.gather import Gatherer
from guard.ledger.parked import Agreement, HeldChange
from guard.ledger.port import Ledger
from guard.receive.ancestors import Ancestor
from guard.scheduled_test import Acted, who_scheduled
from rules.engine.decide import decide
from rules.engine.needs import needs
from rules.engine.policy_set import PolicySet
from rules.engine.row import Judgement, judge_row, released_row, row_change, scan_needs
from rules.model.change import NO_FACTS, Change, Facts, Value
from rules.model.decision import Decision, Finding, Outcome, released, set_aside

OWNER_ROOT = "new.owner."
# Who holds the address is asked together with whose it is; both can wait for stage 40.
DEFERRED_ROOTS = (OWNER_ROOT, "new.addressOwner.")
KIND = "actor.kind"
# What an approver is shown of whoever asks, and of whose the address is, whatever the rules named.
ACTOR = frozenset({KIND, "actor.upn", "actor.objectId"})
EVIDENCE = frozenset(
    {
        "new.addressOwner.count",
        "new.addressOwner.ids",
        "new.addressOwner.upns",
        "new.owner.id",
        "new.owner.objectId",
        "new.owner.type",
        "new.owner.upn",
    }
)
# Behind an application may be anybody who holds its secret, so that nobody can tell who asked.
ASKING_KIND = "user"
_ANSWERING = frozenset({FROM_DATAVERSE, FROM_ENTRA})


@dataclass(frozen=True, slots=True)
class Judged:
    """A change and the decision on it, with everything that it was made from.

    `sources` says by path where each fact came from, `ages` how many seconds old it is where it was
    not looked up for this. `deferred` are the rules that were left to
    stage 40. `attributed_to` is whose act an approval counts as that the platform made by itself,
    `scheduled_by` who scheduled its test in their name, if somebody did.
    `agreement` is what an approver agreed to and what let the change pass; of one that is held,
    `evidence` is what else an approver has to know, and `identities` who asked for it, by the id of
    each user row the Entra object, None where that could not be learnt.
    """

    change: GuardedChange
    decision: Decision
    facts: Facts
    policy_set: PolicySet
    sources: Mapping[str, str] = field(default_factory=dict)
    deferred: tuple[str, ...] = ()
    attributed_to: str | None = None
    ages: Mapping[str, float] = field(default_factory=dict)
    agreement: Agreement | None = None
    scheduled_by: str | None = None
    evidence: Facts = field(default_factory=Facts)
    identities: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class JudgedRow:
    """How a row stands by the policies; why a service gave no answer, and whether any gave one."""

    judgement: Judgement
    unanswered: str | None
    is_answered: bool


class Judge:
    """Judges changes by the policies that hold now."""

    def __init__(self, policies: ActivePolicies, gatherer: Gatherer, ledger: Ledger) -> None:
        self._policies = policies
        self._gatherer = gatherer
        self._ledger = ledger

    @property
    def policy_set(self) -> PolicySet:
        """Return the set that holds now."""
        return self._policies.current

    async def judge(
        self,
        change: GuardedChange,
        *,
        actor_id: str | None,
        on_behalf_by: str | None = None,
        is_synchronous: bool,
        now: datetime,
        ancestors: tuple[Ancestor, ...] = (),
        policy_set: PolicySet | None = None,
        agreed: Agreement | None = None,
        is_decided: bool = False,
    ) -> Judged:
        """Return the decision on a change, by the policies that hold now unless others are given.

        `on_behalf_by` is who acted in the name of the actor, if somebody did: the change is then
        judged as the act of each, and the stricter decision holds (law 19).
        `is_synchronous` says that it isn't committed yet, so that no row of its own transaction may
        be read; `ancestors` are what the callers of that transaction sent. What can't be looked up
        is a missing fact, never an error.

        What rules hold is let through by what an approver agreed to: a pass, or of a change that
        `is_decided` and is only judged again whatever was used for it; or `agreed` alone.
        """
        people = [actor_id]
        if on_behalf_by is not None and on_behalf_by != actor_id:
            # Of two alike, that on whoever really acted is the one to tell of.
            people.insert(0, on_behalf_by)
        # One set for all of it: the folder may be swapped while facts are looked up.
        policy_set = policy_set or self._policies.current
        judged = [
            await self._judge_as(
                change,
                Acted(one, on_behalf_by),
                policy_set=policy_set,
                is_synchronous=is_synchronous,
                now=now,
                ancestors=ancestors,
            )
            for one in people
        ]
        strictest = judged[0] if len(judged) == 1 else max(judged, key=_strictness)
        if strictest.decision.outcome is not Outcome.HOLD:
            return strictest
        asked_by = (strictest.attributed_to or actor_id, on_behalf_by)
        for one in await self._agreements(change, asked_by, agreed, is_decided=is_decided, now=now):
            let_through = max((_by_agreement(each, one) for each in judged), key=_strictness)
            if let_through.decision.outcome.rank < Outcome.HOLD.rank:
                return replace(let_through, agreement=one)
        concerned = (*asked_by, strictest.scheduled_by)
        return await self._with_evidence(
            strictest, concerned, is_synchronous=is_synchronous, ancestors=ancestors
        )

    async def _agreements(
        self,
        change: GuardedChange,
        asked_by: tuple[str | None, str | None],
        agreed: Agreement | None,
        *,
        is_decided: bool,
        now: datetime,
    ) -> Sequence[Agreement]:
        """Return what may let a change pass that rules hold."""
        requester_id, on_behalf_by = asked_by
        if agreed is not None:
            return (agreed,)
        table, record_id, after = change.table.name, change.record_id, change.change.after
        found = await self._agreements_on(table, record_id, after, requester_id)
        if is_decided:
            return standing(found, table, record_id, after)
        if requester_id is None:
            return ()
        held = held_change(change, requester_id, on_behalf_by)
        usable = pass_for(found, held, now=now)
        return () if usable is None else (usable,)

    async def _agreements_on(
        self,
        table: str,
        record_id: str,
        columns: Mapping[str, Value],
        requester_id: str | None = None,
    ) -> Sequence[Agreement]:
        ids = related_ids(table, record_id, columns)
        if TABLES[table].role is not TableRole.MAILBOX and record_id:
            ids += [row.record_id for row in await self._ledger.mailboxes_of(record_id)]
        return await self._ledger.agreements_on(ids, requester_id)

    async def _with_evidence(
        self,
        judged: Judged,
        people: Sequence[str | None],
        *,
        is_synchronous: bool,
        ancestors: tuple[Ancestor, ...],
    ) -> Judged:
        """Return what is held with what an approver has to know: who asked, whose address it is.

        Who asked is the Entra object behind the user row as it was before the edit (law 19).
        """
        identities: dict[str, str | None] = {}
        values: dict[str, Value] = {}
        missing: dict[str, str] = {}
        for one in dict.fromkeys(people):
            if one is None:
                continue
            needed = ACTOR | EVIDENCE if one == people[0] else ACTOR
            sheet = await self._gatherer.gather(
                Question(
                    change=judged.change.change,
                    needed=needed,
                    actor_id=one,
                    is_synchronous=is_synchronous,
                    ancestors=ancestors,
                )
            )
            facts = sheet.facts(needed)
            object_id, kind = facts.values.get("actor.objectId"), facts.values.get(KIND)
            is_known = isinstance(object_id, str) and object_id and kind == ASKING_KIND
            if kind != "guard":
                identities[one] = str(object_id).lower() if is_known else None
            if one == people[0]:
                values.update(facts.values)
                missing.update(facts.missing)
        return replace(judged, evidence=Facts(values, missing), identities=identities)

    async def _judge_as(
        self,
        change: GuardedChange,
        acted: Acted,
        *,
        policy_set: PolicySet,
        is_synchronous: bool,
        now: datetime,
        ancestors: tuple[Ancestor, ...],
    ) -> Judged:
        # (1) Which facts the candidates' rules name; of an approval also what its actor is.
        needed = needs(change.change, policy_set)
        approves = change.becomes_approved
        asked = needed | {KIND} if approves and acted.actor_id is not None else needed
        if not asked:
            decision = decide(change.change, policy_set, NO_FACTS, now=now)
            return Judged(change, decision, NO_FACTS, policy_set)
        question = Question(
            change=change.change,
            needed=asked,
            actor_id=acted.actor_id,
            is_synchronous=is_synchronous,
            ancestors=ancestors,
            on_behalf_by=acted.on_behalf_by,
        )

        # (2) Look them up.
        sheet = await self._gatherer.gather(question)

        # (3) Attribute what the platform approved by itself to whoever scheduled the test (law 3).
        attributed_to, scheduled_by = None, None
        if approves and sheet.values.get(KIND) == "system":
            scheduled = await who_scheduled(change, ledger=self._ledger, now=now)
            if scheduled is not None:
                attributed_to, scheduled_by = scheduled.actor_id, scheduled.on_behalf_by
            if scheduled is None or attributed_to is None:
                facts = sheet.facts(needed)
                return _by_law(change, _unattributed(), facts, policy_set, sheet)
            question = replace(
                question, actor_id=attributed_to, on_behalf_by=scheduled.on_behalf_by
            )
            sheet = await self._gatherer.gather(question)

        # (4) Whatever policies say, nobody of ours approves.
        if approves and sheet.values.get(KIND) == "guard":
            facts = sheet.facts(needed)
            return _by_law(change, _own_approval(), facts, policy_set, sheet)

        # (5) Decide: pure.
        facts = sheet.facts(needed)
        decision = decide(change.change, policy_set, facts, now=now)

        # (6) Leave to stage 40 what can't be known before the Create is committed.
        deferred: tuple[str, ...] = ()
        if is_synchronous and may_be_deferred(change.change, sheet, needed):
            decision, deferred = set_aside(decision, DEFERRED_ROOTS)
        return Judged(
            change,
            decision,
            facts,
            policy_set,
            sheet.sources,
            deferred,
            attributed_to,
            sheet.ages,
            scheduled_by=scheduled_by,
        )

    async def judge_row(
        self, table: str, record_id: str, columns: Mapping[str, Value], *, now: datetime
    ) -> JudgedRow:
        """Return how a committed row stands by every policy of its table, whoever changed it."""
        policy_set = self._policies.current
        needed = scan_needs(table, policy_set)
        change = row_change(table, record_id, columns)
        sheet = await self._gatherer.gather(Question(change, needed, None, is_synchronous=False))
        judgement = judge_row(
            table, record_id, columns, policy_set=policy_set, facts=sheet.facts(needed), now=now
        )
        if judgement.result == "hold":
            found = await self._agreements_on(table, record_id, columns)
            for one in standing(found, table, record_id, columns):
                judgement = released_row(judgement, one.rules, by=one.hold_id)
        is_answered = not _ANSWERING.isdisjoint(sheet.sources.values())
        return JudgedRow(judgement, sheet.unanswered, is_answered)


def _by_agreement(judged: Judged, agreement: Agreement) -> Judged:
    """Return what was judged with what the agreed rules hold let through."""
    decision = released(judged.decision, agreement.rules, by=agreement.hold_id)
    return judged if decision is judged.decision else replace(judged, decision=decision)


def held_change(change: GuardedChange, requester_id: str, on_behalf_by: str | None) -> HeldChange:
    """Return a change as it is held and agreed to: the guarded columns, and whose act it is."""
    one = change.change
    return HeldChange.of(
        one.table,
        one.record_id,
        one.operation,
        (one.before, one.after),
        (requester_id, on_behalf_by),
    )


def _strictness(judged: Judged) -> tuple[int, int]:
    decision = judged.decision
    return decision.outcome.rank, len(decision.contributing)


def may_be_deferred(change: Change, sheet: FactSheet, needed: Collection[str]) -> bool:
    """Return whether the owner rules may wait for stage 40.

    Only on a Create that approves nothing, and only when the one reason why anything of the owner
    isn't known is that its row belongs to the same transaction.
    """
    if change.operation != "create" or change.after.get(APPROVAL) == APPROVED:
        return False
    absences = {
        absence
        for path, absence in sheet.absences.items()
        if path in needed and path.startswith(OWNER_ROOT)
    }
    return absences == {Absence.SAME_TRANSACTION}


def _by_law(
    change: GuardedChange, decision: Decision, facts: Facts, policy_set: PolicySet, sheet: FactSheet
) -> Judged:
    return Judged(change, decision, facts, policy_set, sheet.sources, ages=sheet.ages)


def _own_approval() -> Decision:
    return rejection_by_guard(
        "own-approval",
        "An application of the guard or of its sync would approve; neither ever does.",
        help_text="Have a qualified person approve it, and renew the application's secret.",
    )


def _unattributed() -> Decision:
    return rejection_by_guard(
        "unattributed-approval",
        "The platform approved this mailbox by itself, and nobody was allowed to schedule its test "
        "in the last 24 hours.",
        help_text="Let a qualified approver approve the address.",
    )


def rejection_by_guard(
    rule: str, message: str, *, help_text: str | None = None, is_error: bool = False
) -> Decision:
    """Return a rejection that the guard's own laws make, as a finding of the policy `guard`."""
    finding = Finding(
        policy="guard",
        rule=rule,
        id=f"guard/{rule}",
        result="error" if is_error else "fail",
        mode="enforce",
        effect="error" if is_error else "reject",
        declared="reject",
        severity="high",
        message=message,
        help=help_text,
        exception=None,
        error=message if is_error else None,
        contributes=Outcome.REJECT,
    )
    return Decision(Outcome.REJECT, "error" if is_error else "rules", (finding,))
