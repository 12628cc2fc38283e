"""Deciding a delivery: every row of docs/answers.md, in the order of the steps in `Intake`.

What is waited for at the end is the ledger alone, so that nothing of a delivery need be kept until
then: what lies about while others are decided takes their place in the processor's caches.
"""

from __future__ import annotations

from collections.abc import Awaitable
from datetime import datetime
from functools import partial
from typing import Any, TypeAlias

from guard.case import Case, case_of
from guard.columns.asked import AskedColumns
from guard.columns.change import GuardedChange
from guard.confirmation import decision_confirmed_by, decision_of
from guard.errors import DeliveryUnreadable, HoldTaken
from guard.identity import OwnIdentity
from guard.judge import Judge, Judged, rejection_by_guard
from guard.ledger.entry import Recorded
from guard.ledger.port import Ledger
from guard.own_writes import is_own_write
from guard.read_back import ReadBack
from guard.receive import Delivery, change_from, read_delivery
from guard.receive.ancestors import ancestors_of
from guard.receive.change import needs_mirror
from guard.record import Conclusion, DecisionRecorder
from guard.told import ToldRows
from kernel.errors import Unavailable
from kernel.log import get_logger
from rules.engine.policy_set import PolicySet
from rules.model.change import Facts
from rules.model.decision import Decision, Outcome

NOT_GUARDED = "not-guarded"
FOREIGN = "foreign"
STRIPPED = "stripped"
UNDECIDABLE = "undecidable"
OWN_WRITE = "own-write"

# A delivery, and the policies by which it is decided: of the row before, only what these ask about
# was read.
Taken: TypeAlias = tuple[Delivery, PolicySet]

log = get_logger("guard")
_ALLOW = Decision(Outcome.ALLOW, "no-policy")


class Intake:
    """Decides deliveries; `identity` says which organisation is ours and which user we are.

    `told` learns of which rows deliveries say that our own write was committed.
    """

    def __init__(
        self,
        recorder: DecisionRecorder,
        judge: Judge,
        ledger: Ledger,
        identity: OwnIdentity,
        read_back: ReadBack,
        told: ToldRows,
    ) -> None:
        self._told = told
        self._recorder = recorder
        self._judge = judge
        self._ledger = ledger
        self._identity = identity
        self._read_back = read_back
        self._asked = AskedColumns()

    def read(self, body: bytes, *, size_exceeded: bool) -> Taken:
        """Return what came in, read for the policies that hold now. Raises DeliveryUnreadable."""
        policy_set = self._judge.policy_set
        asked = partial(self._asked.named, policy_set=policy_set)
        return read_delivery(body, size_exceeded=size_exceeded, asked=asked), policy_set

    async def take(self, taken: Taken) -> Awaitable[Recorded]:
        """Decide what came in, and return what is waited for until the decision is recorded.

        Both raise Unavailable when it could not be recorded; then nothing was decided.
        """
        delivery, policy_set = taken
        case, now = case_of(delivery), self._recorder.now()
        # (1) What nobody asked us to guard passes, whoever sent it.
        if not delivery.is_guarded:
            return self._plainly(case, _ALLOW, NOT_GUARDED, now)
        # (2) A copied environment still posts to us: its changes are not ours to decide.
        if self._identity.is_foreign(delivery.organization_id):
            refusal = rejection_by_guard(
                "foreign",
                "The delivery comes from another organisation.",
                help_text="In a copied environment, remove the guard's steps and endpoint.",
            )
            return self._plainly(case, refusal, FOREIGN, now)
        # (3) What is sent becomes a change, unless too little came to decide from.
        try:
            change = await self._change(delivery)
        except DeliveryUnreadable as error:
            return self._unread(case, delivery, error, now)
        try:
            return await self._decide(case, delivery, change, policy_set, now)
        except Unavailable:
            raise
        except Exception as error:
            # Our own fault, and still an answer: what can't be decided is not allowed (law 1).
            log.error("delivery_not_decided", record_id=case.record_id, exc_info=error)
            fault = DeliveryUnreadable("The guard failed to decide; its log says why.")
            return self._unread(case, delivery, fault, now)

    async def _change(self, delivery: Delivery) -> GuardedChange:
        known = None
        if needs_mirror(delivery) and delivery.record_id is not None:
            known = await self._ledger.mirrored(delivery.table, delivery.record_id)
        if known is None:
            return GuardedChange(change_from(delivery))
        return GuardedChange(change_from(delivery, seen=known.columns, good=known.known_good))

    async def _decide(
        self,
        case: Case,
        delivery: Delivery,
        change: GuardedChange,
        policy_set: PolicySet,
        now: datetime,
    ) -> Awaitable[Recorded]:
        # (4) Our own write, announced before, needs no decision.
        if await is_own_write(delivery, change, identity=self._identity, ledger=self._ledger):
            return self._own_write(case, change, now)
        # (5) A committed change that a decision allowed confirms it.
        if not delivery.is_synchronous:
            confirmed = await decision_confirmed_by(
                change,
                actor_id=delivery.initiating_user_id,
                on_behalf_by=delivery.on_behalf_by,
                ledger=self._ledger,
                now=now,
            )
            if confirmed is not None:
                return self._confirmed(case, change, confirmed, now)
        # (6) Everything else is judged.
        judged = await self._judge.judge(
            change,
            actor_id=delivery.initiating_user_id,
            on_behalf_by=delivery.on_behalf_by,
            is_synchronous=delivery.is_synchronous,
            now=now,
            ancestors=ancestors_of(delivery),
            policy_set=policy_set,
        )
        if judged.agreement is None:
            return self._recorder.judged(case, judged, now=now)
        return self._let_through(case, delivery, change, judged, now)

    async def _let_through(
        self, case: Case, delivery: Delivery, change: GuardedChange, judged: Judged, now: datetime
    ) -> Recorded:
        """Record what a pass lets through; where another edit used it meanwhile, judge anew."""
        try:
            return await self._recorder.judged(case, judged, now=now)
        except HoldTaken:
            now, policy_set = self._recorder.now(), judged.policy_set
            return await (await self._decide(case, delivery, change, policy_set, now))

    def _plainly(
        self,
        case: Case,
        decision: Decision,
        cause: str,
        now: datetime,
        **public: Any,
    ) -> Awaitable[Recorded]:
        conclusion = Conclusion(decision, cause, public=public)
        return self._recorder.record(case, conclusion, now=now)

    def _own_write(self, case: Case, change: GuardedChange, now: datetime) -> Awaitable[Recorded]:
        if not case.is_synchronous:
            self._told.add(change.table.name, change.record_id)
        return self._plainly(case, _ALLOW, OWN_WRITE, now)

    def _confirmed(
        self, case: Case, change: GuardedChange, confirmed: Recorded, now: datetime
    ) -> Awaitable[Recorded]:
        """Record that an allowed change was committed; its decision is not made a second time."""
        judged = Judged(change, decision_of(confirmed), Facts(), self._judge.policy_set)
        more: dict[str, Any] = {
            "confirms": confirmed.id,
            "decided_by": confirmed.public.get("policy_set"),
        }
        return self._recorder.judged(case, judged, now=now, cause=confirmed.cause, **more)

    def _unread(
        self, case: Case, delivery: Delivery, error: DeliveryUnreadable, now: datetime
    ) -> Awaitable[Recorded]:
        """Answer a delivery that can't be decided from itself.

        Before the commit it is refused. Afterwards the committed row is read and judged instead.
        """
        cause = STRIPPED if delivery.stripped else UNDECIDABLE
        refusal = rejection_by_guard(cause, error.message, is_error=True)
        if delivery.is_synchronous:
            return self._recorder.refused(case, Conclusion(refusal, cause), now=now)
        return self._read_back.examine(case, refusal=refusal, cause=cause, now=now)
