"""A change is judged: facts are gathered, the rules decide, and two laws are added to them.

Law 3: an approval that the platform makes by itself is attributed to whoever scheduled the test of
the mailbox; without such a person it is rejected. Beside it: a Create whose owner isn't readable
yet leaves the owner rules to stage 40.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from guard.active_policies import ActivePolicies
from guard.columns import APPROVAL, APPROVED
from guard.facts.actor import FROM_DATAVERSE, FROM_ENTRA
from guard.facts.fact_sheet import Question
from guard.facts.gather import Gatherer
from guard.ledger.entry import Recorded
from guard.ledger.mirror import is_equal
from guard.ledger.port import ALLOWED, Ledger
from guard.receive.ancestors import Ancestor
from rules.engine.decide import decide
from rules.engine.needs import needs
from rules.engine.policy_set import PolicySet
from rules.engine.row import Judgement, judge_row, row_change, scan_needs
from rules.model.change import Change, Facts, Value
from rules.model.decision import Decision, Finding, Outcome, set_aside

SCHEDULED_WITHIN = timedelta(hours=24)
TEST_SCHEDULED = "testemailconfigurationscheduled"
OWNER_ROOT = "new.owner."
# Who holds the address is asked together with whose it is; both can wait for stage 40.
DEFERRED_ROOTS = (OWNER_ROOT, "new.addressOwner.")
KIND = "actor.kind"
_ANSWERING = frozenset({FROM_DATAVERSE, FROM_ENTRA})
# What must still be as it was when the test was scheduled.
_UNCHANGED = ("emailaddress", "ownerid.id", "regardingobjectid.id", "emailserverprofile.id")


@dataclass(frozen=True, slots=True)
class Judged:
    """A decision with everything that it was made from."""

    decision: Decision
    facts: Facts
    policy_set: PolicySet
    sources: Mapping[str, str] = field(default_factory=dict)
    deferred: tuple[str, ...] = ()
    attributed_to: str | None = None


@dataclass(frozen=True, slots=True)
class Worth:
    """What a row is worth; why a service gave no answer, and whether any gave one."""

    judgement: Judgement
    unanswered: str | None
    is_answered: bool


def becomes_approved(change: Change) -> bool:
    """Return whether the change makes the approval Approved."""
    return change.after.get(APPROVAL) == APPROVED and change.before.get(APPROVAL) != APPROVED


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
        change: Change,
        *,
        actor_id: str | None,
        is_synchronous: bool,
        now: datetime,
        ancestors: tuple[Ancestor, ...] = (),
    ) -> Judged:
        """Return the decision on a change."""
        policy_set = self._policies.current
        needed = needs(change, policy_set)
        approves = becomes_approved(change)
        question = Question(
            change=change,
            needed=needed | {KIND} if approves and actor_id is not None else needed,
            actor_id=actor_id,
            is_synchronous=is_synchronous,
            ancestors=ancestors,
        )
        if not question.needed:
            facts = Facts()
            return Judged(decide(change, policy_set, facts, now=now), facts, policy_set)
        found = await self._gatherer.gather(question)
        attributed_to = None
        if approves and found.values.get(KIND) == "system":
            attributed_to = await self._who_scheduled(change, now)
            if attributed_to is None:
                return Judged(_unattributed(), found.facts(needed), policy_set, found.sources)
            found = await self._gatherer.gather(
                Question(change, needed, attributed_to, is_synchronous, ancestors)
            )
        facts = found.facts(needed)
        decision = decide(change, policy_set, facts, now=now)
        deferred: tuple[str, ...] = ()
        if is_synchronous and may_be_deferred(change, facts, found.not_readable_yet):
            decision, deferred = set_aside(decision, DEFERRED_ROOTS)
        return Judged(decision, facts, policy_set, found.sources, deferred, attributed_to)

    async def judge_row(
        self, table: str, record_id: str, columns: Mapping[str, Value], *, now: datetime
    ) -> Judgement:
        """Return what a committed row is worth by every policy of its table, whoever changed it."""
        worth = await self.worth_of_row(table, record_id, columns, now=now)
        return worth.judgement

    async def worth_of_row(
        self, table: str, record_id: str, columns: Mapping[str, Value], *, now: datetime
    ) -> Worth:
        """Return the same, with how the services answered."""
        policy_set = self._policies.current
        needed = scan_needs(table, policy_set)
        change = row_change(table, record_id, columns)
        found = await self._gatherer.gather(Question(change, needed, None, is_synchronous=False))
        judgement = judge_row(
            table, record_id, columns, policy_set=policy_set, facts=found.facts(needed), now=now
        )
        is_answered = not _ANSWERING.isdisjoint(found.sources.values())
        return Worth(judgement, found.unanswered, is_answered)

    async def _who_scheduled(self, change: Change, now: datetime) -> str | None:
        """Return who made the newest allowed change that scheduled the mailbox's test."""
        record_ids = [change.record_id]
        if change.table != "mailbox":
            mailboxes = await self._ledger.mailboxes_of(change.record_id)
            record_ids = [row.record_id for row in mailboxes]
        for record_id in record_ids:
            for earlier in await self._ledger.decisions_on(record_id, since=now - SCHEDULED_WITHIN):
                if _scheduled_test(earlier):
                    return _scheduler(earlier, change)
        return None


def may_be_deferred(change: Change, facts: Facts, not_readable_yet: Collection[str]) -> bool:
    """Return whether the owner rules may wait for stage 40: all that they lack can be read then."""
    if change.operation != "create" or change.after.get(APPROVAL) == APPROVED:
        return False
    lacking = [path for path in facts.missing if path.startswith(OWNER_ROOT)]
    return bool(lacking) and all(path in not_readable_yet for path in lacking)


def _scheduled_test(earlier: Recorded) -> bool:
    if earlier.decision not in ALLOWED or earlier.table != "mailbox":
        return False
    before, after = earlier.before, earlier.after
    return after.get(TEST_SCHEDULED) is True and before.get(TEST_SCHEDULED) is not True


def _scheduler(earlier: Recorded, change: Change) -> str | None:
    """Return the actor of the scheduling change if the mailbox is still as it was then."""
    then = earlier.after
    if change.table == "mailbox":
        for name in _UNCHANGED:
            if not is_equal(then.get(name), change.after.get(name)):
                return None
    else:
        address = change.after.get("internalemailaddress", change.after.get("emailaddress"))
        if not is_equal(then.get("emailaddress"), address):
            return None
    actor = earlier.public.get("attributed_to") or earlier.public.get("initiating_user_id")
    return actor if isinstance(actor, str) else None


def _unattributed() -> Decision:
    return built_in(
        "unattributed-approval",
        "The platform approved this mailbox by itself, and nobody was allowed to schedule its test "
        "in the last 24 hours.",
        help_text="Let a qualified approver approve the address.",
    )


def built_in(
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
