"""Judging a change: facts are gathered, the rules decide, and two laws are added to them.

Law 3: an approval that the platform makes by itself is attributed to whoever scheduled the test of
the mailbox; without such a person it is rejected. Beside it: a Create whose owner isn't readable
yet leaves the owner rules to stage 40.

Judging reads and writes nothing down; `record` makes a decision durable.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from guard.active_policies import ActivePolicies
from guard.columns.change import GuardedChange
from guard.columns.compare import is_equal
from guard.columns.table import APPROVAL, APPROVED, MAILBOX, TableRole
from guard.facts.actor import FROM_DATAVERSE, FROM_ENTRA
from guard.facts.fact_sheet import Absence, FactSheet, Question
from guard.facts.gather import Gatherer
from guard.ledger.entry import Recorded
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
    """A change and the decision on it, with everything that it was made from.

    `sources` says by path where each fact came from. `deferred` are the rules that were left to
    stage 40. `attributed_to` is whose act an approval counts as that the platform made by itself.
    """

    change: GuardedChange
    decision: Decision
    facts: Facts
    policy_set: PolicySet
    sources: Mapping[str, str] = field(default_factory=dict)
    deferred: tuple[str, ...] = ()
    attributed_to: str | None = None


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
        is_synchronous: bool,
        now: datetime,
        ancestors: tuple[Ancestor, ...] = (),
    ) -> Judged:
        """Return the decision on a change.

        `is_synchronous` says that it isn't committed yet, so that no row of its own transaction may
        be read; `ancestors` are what the callers of that transaction sent. What can't be looked up
        is a missing fact, never an error.
        """
        # One set for all of it: the folder may be swapped while facts are looked up.
        policy_set = self._policies.current

        # (1) Which facts the candidates' rules name; of an approval also what its actor is.
        needed = needs(change.change, policy_set)
        approves = change.becomes_approved
        question = Question(
            change=change.change,
            needed=needed | {KIND} if approves and actor_id is not None else needed,
            actor_id=actor_id,
            is_synchronous=is_synchronous,
            ancestors=ancestors,
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
            attributed_to = await self._who_scheduled(change, now)
            if attributed_to is None:
                facts = sheet.facts(needed)
                return Judged(change, _unattributed(), facts, policy_set, sheet.sources)
            sheet = await self._gatherer.gather(
                Question(change.change, needed, attributed_to, is_synchronous, ancestors)
            )

        # (4) Decide: pure.
        facts = sheet.facts(needed)
        decision = decide(change.change, policy_set, facts, now=now)

        # (5) Leave to stage 40 what can't be known before the Create is committed.
        deferred: tuple[str, ...] = ()
        if is_synchronous and may_be_deferred(change.change, sheet, needed):
            decision, deferred = set_aside(decision, DEFERRED_ROOTS)
        return Judged(change, decision, facts, policy_set, sheet.sources, deferred, attributed_to)

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

    async def _who_scheduled(self, change: GuardedChange, now: datetime) -> str | None:
        """Return who made the newest allowed change that scheduled the mailbox's test."""
        record_ids = [change.record_id]
        if change.table.role is not TableRole.MAILBOX:
            # The platform approves an owner's row along with the mailbox that was tested.
            mailboxes = await self._ledger.mailboxes_of(change.record_id)
            record_ids = [row.record_id for row in mailboxes]
        for record_id in record_ids:
            for earlier in await self._ledger.decisions_on(record_id, since=now - SCHEDULED_WITHIN):
                if _scheduled_test(earlier):
                    return _scheduler(earlier, change)
        return None


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


def _scheduler(earlier: Recorded, change: GuardedChange) -> str | None:
    """Return the actor of the scheduling change if the mailbox is still as it was then."""
    then, now = earlier.after, change.change.after
    if change.table.role is TableRole.MAILBOX:
        unchanged = all(is_equal(then.get(name), now.get(name)) for name in _UNCHANGED)
    else:
        # Of an owner's row no more than the address is the mailbox's too.
        unchanged = is_equal(then.get(MAILBOX.address), now.get(change.table.address))
    if not unchanged:
        return None
    actor = earlier.public.get("attributed_to") or earlier.public.get("initiating_user_id")
    return actor if isinstance(actor, str) else None


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
