"""Judging a change: facts are gathered, the rules decide, and two laws are added to them.

Law 3: an approval that the platform makes by itself is attributed to whoever scheduled the test of
the mailbox; without such a person it is rejected. Beside it: a Create whose owner isn't readable
yet leaves the owner rules to stage 40.

Judging reads and writes nothing down; `record` makes a decision durable.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from guard.active_policies import ActivePolicies
from guard.columns.change import GuardedChange
from guard.columns.compare import is_equal
from guard.columns.owner import mailbox_owner_id
from guard.columns.table import APPROVAL, APPROVED, MAILBOX, REJECTED, TABLES, TableRole
from guard.facts.actor import FROM_DATAVERSE, FROM_ENTRA
from guard.facts.fact_sheet import Absence, FactSheet, Question
from guard.facts.gather import Gatherer
from guard.ledger.entry import Recorded
from guard.ledger.port import ALLOWED, Ledger
from guard.receive.ancestors import Ancestor
from guard.receive.delivery import ASYNCHRONOUS
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
    """A change and the decision on it, with everything that it was made from.

    `sources` says by path where each fact came from, `ages` how many seconds old it is where it was
    not looked up for this. `deferred` are the rules that were left to
    stage 40. `attributed_to` is whose act an approval counts as that the platform made by itself.
    """

    change: GuardedChange
    decision: Decision
    facts: Facts
    policy_set: PolicySet
    sources: Mapping[str, str] = field(default_factory=dict)
    deferred: tuple[str, ...] = ()
    attributed_to: str | None = None
    ages: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Acted:
    """Who acted, and who did so in their name, if somebody."""

    actor_id: str | None
    on_behalf_by: str | None = None


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
    ) -> Judged:
        """Return the decision on a change, by the policies that hold now unless others are given.

        `on_behalf_by` is who acted in the name of the actor, if somebody did: the change is then
        judged as the act of each, and the stricter decision holds (law 19).
        `is_synchronous` says that it isn't committed yet, so that no row of its own transaction may
        be read; `ancestors` are what the callers of that transaction sent. What can't be looked up
        is a missing fact, never an error.
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
        return max(judged, key=_strictness)

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
        question = Question(
            change=change.change,
            needed=needed | {KIND} if approves and acted.actor_id is not None else needed,
            actor_id=acted.actor_id,
            is_synchronous=is_synchronous,
            ancestors=ancestors,
            on_behalf_by=acted.on_behalf_by,
        )
        if not question.needed:
            facts = Facts()
            decision = decide(change.change, policy_set, facts, now=now)
            return Judged(change, decision, facts, policy_set)

        # (2) Look them up.
        sheet = await self._gatherer.gather(question)

        # (3) Attribute what the platform approved by itself to whoever scheduled the test (law 3).
        attributed_to = None
        if approves and sheet.values.get(KIND) == "system":
            scheduled = await self._who_scheduled(change, now)
            attributed_to = scheduled.actor_id if scheduled is not None else None
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
            change, decision, facts, policy_set, sheet.sources, deferred, attributed_to, sheet.ages
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
        is_answered = not _ANSWERING.isdisjoint(sheet.sources.values())
        return JudgedRow(judgement, sheet.unanswered, is_answered)

    async def _who_scheduled(self, change: GuardedChange, now: datetime) -> Acted | None:
        """Return who made the newest allowed change that scheduled the mailbox's test.

        None when the mailbox, or its owner's row, was rejected or changed hands or address since:
        also when all is as it was again.
        """
        since = now - SCHEDULED_WITHIN
        owner_id: str | None = change.record_id
        mailboxes = [change.record_id]
        if change.table.role is TableRole.MAILBOX:
            owner_id = mailbox_owner_id(change.change.after)
        else:
            # The platform approves an owner's row along with the mailbox that was tested.
            mailboxes = [row.record_id for row in await self._ledger.mailboxes_of(owner_id or "")]
        of_owner = (
            [] if owner_id is None else await self._ledger.decisions_on(owner_id, since=since)
        )
        for mailbox_id in mailboxes:
            of_mailbox = await self._ledger.decisions_on(mailbox_id, since=since)
            newest_first = sorted((*of_mailbox, *of_owner), key=lambda one: one.id, reverse=True)
            for earlier in newest_first:
                if _scheduled_test(earlier):
                    return _scheduler(earlier, change)
                if _ends_test(earlier):
                    break
        return None


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


def _scheduled_test(earlier: Recorded) -> bool:
    if earlier.decision not in ALLOWED or earlier.table != MAILBOX.name:
        return False
    before, after = earlier.before, earlier.after
    return after.get(TEST_SCHEDULED) is True and before.get(TEST_SCHEDULED) is not True


def _ends_test(earlier: Recorded) -> bool:
    """Return whether a committed change ended what a test that was scheduled before may approve.

    An explicit rejection does, and another address, owner or profile, though it be taken back.
    """
    if earlier.decision not in ALLOWED and earlier.public.get("mode") != ASYNCHRONOUS:
        return False
    table = TABLES.get(earlier.table)
    if table is None:
        return False
    before, after = earlier.before, earlier.after
    if not after:
        # What it changed is not known, or is our own: a rejection of ours is one too.
        return earlier.public.get("mode") == ASYNCHRONOUS
    if after.get(APPROVAL) == REJECTED and before.get(APPROVAL) != REJECTED:
        return True
    watched = {*_UNCHANGED, table.address, *table.identity}.intersection(table.flat)
    return any(not is_equal(before.get(name), after.get(name)) for name in watched)


def _scheduler(earlier: Recorded, change: GuardedChange) -> Acted | None:
    """Return who made the scheduling change if the mailbox is still as it was then."""
    then, now = earlier.after, change.change.after
    if change.table.role is TableRole.MAILBOX:
        unchanged = all(is_equal(then.get(name), now.get(name)) for name in _UNCHANGED)
    else:
        # Of an owner's row no more than the address is the mailbox's too.
        unchanged = is_equal(then.get(MAILBOX.address), now.get(change.table.address))
    if not unchanged:
        return None
    actor = earlier.public.get("attributed_to") or earlier.public.get("initiating_user_id")
    return Acted(actor, earlier.public.get("on_behalf_by")) if isinstance(actor, str) else None


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
