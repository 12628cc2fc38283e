"""What every obligation has in common that only tells a person of a refusal, whatever the channel.

A refusal is true however the transaction of the change ends, so it is told of before the commit as
well. Who made the change, and what it was, stands in a delivery, and whoever holds the webhook key
can post those: what is told is bounded in number (`guard.notices.register`) and in what it may say
(`guard.notices.cleaning`), and it waits in lanes of its own (docs/decisions/0030-telling.md).

Its turn is written down before it is given, and it is looked up before it is given again (law 7).
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from sqlalchemy import Connection, select

from cloud.errors import Throttled, Unknown, Unreachable
from cloud.odata import is_guid
from guard.case import FROM_RECONCILIATION, NOTICE_LANE, SEEN_NOTICE_LANE, Case
from guard.consequences import Committed, Refusal
from guard.errors import DecisionMasked, DecisionUnknown
from guard.ledger.entry import Recorded
from guard.ledger.reading import WHOLE, recorded_from
from guard.ledger.replay import find_past, find_set
from guard.ledger.tables import decisions
from guard.notices import register
from guard.notices.languages import language_of
from guard.notices.notice import Notice
from guard.notices.register import MOST_PER_PERSON, OPEN, Asked, Turn, TurnState
from guard.notices.text import Reason, notice_of, own_reasons, reasons_of
from guard.obligations.obligation import Means, Obligation, Payload
from guard.ports.notifier import NoticeRefused, NoticeRejected, NoticesAbsent, Notifier
from guard.ports.rows import UserRow
from kernel.failpoints import failpoint
from kernel.log import get_logger
from kernel.tasks import Task, TaskCause
from kernel.workers import Done, Failed, TaskOutcome
from rules.engine.policy_set import PolicySet
from rules.replay.recorded import OWN_LAWS

TURN = failpoint("guard.notice-turn", "A notice takes its turn, or is left out.")
GIVEN = failpoint("guard.notice-given", "What became of a notice is written down.")

log = get_logger("guard")

# Nobody remembers an edit of the day before, and its reason may have gone since.
TOLD_WITHIN = timedelta(days=1)
# The service's clock, by which it dates what was given, may be behind ours.
CLOCK_TOLERANCE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class TellingPayload(Payload):
    """Whose change it was, what became of it, and whether the guard saw it itself."""

    person_id: str
    outcome: str
    operation: str | None
    is_seen: bool


class Telling(Obligation[TellingPayload]):
    """Tells whoever made a refused change why, once, over one channel."""

    payload = TellingPayload
    only_tells = True
    channel: ClassVar[str]
    most: ClassVar[int] = MOST_PER_PERSON
    # Whether it can be seen, after a crash or a lost answer, that a notice was given.
    can_look: ClassVar[bool] = True

    def __init__(self, means: Means) -> None:
        super().__init__(means)
        self._one_at_a_time = asyncio.Lock()

    @property
    @abstractmethod
    def notifier(self) -> Notifier:
        """Who gives notices over this channel."""

    @classmethod
    def owed_by(cls, committed: Committed) -> TellingPayload | None:
        """It is owed when a judged change was rejected or held, by somebody who is known."""
        if committed.change is None or committed.is_allowed or committed.releases is not None:
            return None
        return _owed(committed.case, committed.outcome, committed.attributed_to)

    @classmethod
    def owed_by_refusal(cls, refusal: Refusal) -> TellingPayload | None:
        """It is owed when an attempt was rejected or held, by somebody who is known."""
        return _owed(refusal.case, refusal.outcome, refusal.attributed_to)

    @classmethod
    def lane(cls, source: str) -> str:
        """Return a lane in which nothing but notices waits."""
        return SEEN_NOTICE_LANE if source == FROM_RECONCILIATION else NOTICE_LANE

    def reader(self, owed: TellingPayload) -> str:
        """Return who is told: whose turns are counted together."""
        return owed.person_id

    def is_told(self, user: UserRow | None) -> bool:
        """Return whether it is told at all: applications and the platform read no notices."""
        return user is not None and user.application_id is None and user.upn is not None

    async def carry_out(self, owed: TellingPayload, task: Task) -> TaskOutcome:
        """Give the notice, unless there is a reason not to."""
        # (1) Take its turn: it ends here for a repeat, and for one too many.
        now = self._means.recorder.now()
        asked = await self._means.database.read(lambda c: self._asked(c, owed, task))
        turn = await self._means.database.write(
            lambda c: register.take_turn(c, asked, now=now), failpoint=TURN
        )
        if turn.state not in OPEN:
            self._means.metrics.noticed(self.channel, turn.state.value)
            same = f"told of the same by decision {turn.same_as}"
            return Done(turn.state.doc if turn.same_as is None else same)
        # Nobody waits for it, and where one is refused the others need not ask.
        async with self._one_at_a_time:
            return await self._have_given(owed, task, turn)

    async def _have_given(self, owed: TellingPayload, task: Task, turn: Turn) -> TaskOutcome:
        # (2) Leave out what came too late, or what waits behind one that was refused.
        if self._means.recorder.now() - task.added_at > TOLD_WITHIN:
            return await self._end(turn, TurnState.LEFT_OUT, "it came too late to be told")
        if await self._means.database.read(lambda c: register.another_is_refused(c, turn.asked)):
            return await self._end(turn, TurnState.LEFT_OUT, "another one was refused")
        # (3) Find out who it is.
        person_id = owed.person_id
        user = await self._means.rows.user(person_id) if is_guid(person_id) else None
        if not self.is_told(user):
            return await self._end(turn, TurnState.NOBODY, "there is nobody to tell")
        try:
            return await self._give(owed, task, turn, user)
        except NoticesAbsent as error:
            log.warning("notices_absent", channel=self.channel, error=error.message)
            return await self._end(turn, TurnState.ABSENT, error.message)
        except NoticeRejected as error:
            await self._end(turn, TurnState.LEFT_OUT)
            return Failed(error.message, cause=TaskCause.REFUSED, error_code=error.code)
        except NoticeRefused:
            await self._end(turn, TurnState.REFUSED)
            raise

    async def _give(
        self, owed: TellingPayload, task: Task, turn: Turn, user: UserRow | None
    ) -> Done:
        # (4) Look for what an earlier try may have given.
        if turn.state is TurnState.SENDING:
            return await self._end(turn, TurnState.UNKNOWN, "whether it arrived is not known")
        since = turn.since - CLOCK_TOLERANCE
        if (
            self.can_look
            and task.attempts > 1
            and await self.notifier.was_given(owed.person_id, task.owner, since=since)
        ):
            return await self._end(turn, TurnState.GIVEN, "told before")
        # (5) Write it in the person's language, and give it.
        language = language_of(await self.notifier.locale_of(owed.person_id))
        notice = await self._means.database.read(
            lambda c: self._notice(c, owed, turn, user=user, language=language)
        )
        if notice is None:
            return await self._end(turn, TurnState.LEFT_OUT, "its record was masked")
        if not self.can_look:
            return await self._send_unseen(turn, notice)
        await self.notifier.give(notice)
        return await self._end(turn, TurnState.GIVEN, "told")

    async def _send_unseen(self, turn: Turn, notice: Notice) -> Done:
        """Give a notice that nobody can look for: at most once, and again only if it never left."""
        await self._write_down(turn, TurnState.SENDING)
        try:
            await self.notifier.give(notice)
        except Unknown:
            return await self._end(turn, TurnState.UNKNOWN, "whether it arrived is not known")
        except (Throttled, Unreachable):
            await self._write_down(turn, TurnState.TAKEN)
            raise
        return await self._end(turn, TurnState.GIVEN, "told")

    def _asked(self, connection: Connection, owed: TellingPayload, task: Task) -> Asked:
        decision = _recorded(connection, task.owner)
        public = {} if decision is None else decision.public
        return Asked(
            self.channel,
            task.owner,
            self.reader(owed),
            register.about(owed.table, owed.record_id, owed.outcome, public.get("rules", ())),
            public.get("correlation_id"),
            "seen" if owed.is_seen else "told",
            self.most,
        )

    async def _end(self, turn: Turn, state: TurnState, said: str | None = None) -> Done:
        await self._write_down(turn, state)
        self._means.metrics.noticed(self.channel, state.value)
        return Done(said)

    async def _write_down(self, turn: Turn, state: TurnState) -> None:
        await self._means.database.write(
            lambda c: register.end_turn(c, turn, state), failpoint=GIVEN
        )

    def _notice(
        self,
        connection: Connection,
        owed: TellingPayload,
        turn: Turn,
        *,
        user: UserRow | None,
        language: str | None,
    ) -> Notice | None:
        """Return what to say; None when nothing is known any more of why it was refused."""
        decision = _recorded(connection, turn.asked.decision_id)
        if decision is None or decision.private is None:
            return None
        return notice_of(
            decision_id=decision.id,
            person_id=owed.person_id,
            table=owed.table,
            record_id=owed.record_id,
            is_hold=owed.outcome == "hold",
            is_new=owed.operation == "create",
            reasons=self._reasons(connection, decision, language),
            untold=turn.untold,
            language=language,
            places=self._means.places,
        )

    def _reasons(
        self, connection: Connection, decision: Recorded, language: str | None
    ) -> list[Reason]:
        """Return why it was refused: none where that could not be judged."""
        made = [
            one
            for one in (decision.private or {}).get("findings", ())
            if one["contributes"] == decision.decision and one["result"] == "fail"
        ]
        own = own_reasons([one for one in made if f"{one['policy']}/" == OWN_LAWS])
        if own or not made:
            return own
        try:
            past = find_past(connection, decision.id)
        except (DecisionMasked, DecisionUnknown):
            return []
        policy_set = self._set_of(connection, past.policy_set)
        if policy_set is None:
            return []
        rules = [f"{one['policy']}/{one['rule']}" for one in made]
        return reasons_of(past.change, past.facts, policy_set, rules, language=language)

    def _set_of(self, connection: Connection, digest: str | None) -> PolicySet | None:
        current = self._means.judge.policy_set
        return current if current.digest == digest else find_set(connection, digest)


def _owed(case: Case, outcome: str, attributed_to: str | None) -> TellingPayload | None:
    # What the platform approved by itself was done by whoever scheduled the test (law 3).
    person_id = attributed_to or case.initiating_user_id
    if not person_id:
        return None
    return TellingPayload(
        case.table,
        case.record_id,
        person_id,
        str(outcome),
        case.operation,
        case.source == FROM_RECONCILIATION,
    )


def _recorded(connection: Connection, decision_id: str) -> Recorded | None:
    row = connection.execute(select(*WHOLE).where(decisions.c.id == decision_id)).one_or_none()
    return None if row is None else recorded_from(row)
