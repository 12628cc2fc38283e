"""The obligation `apply`: columns that an approver released are written by our own user, once.

The row is read first and has to be as it was when the change was asked for; the change is judged
once more as its requester's act. It is written with If-Match under a nonce that was announced, and
what came of it is recorded as a change that was committed: known good, with all that follows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlalchemy import Connection

from guard import consequences
from guard.case import Case
from guard.columns.change import GuardedChange
from guard.consequences import ALLOWING, Committed
from guard.errors import HoldTaken
from guard.held_row import change_made, change_now, columns_of, standing_of
from guard.known_good import allowed
from guard.ledger import holds
from guard.ledger.effects import withdraw
from guard.ledger.parked import (
    FROM_RELEASE,
    HeldChange,
    Hold,
    HoldState,
    Settled,
    Settlement,
)
from guard.obligations.announcing import announce, nonce_of
from guard.obligations.obligation import Obligation, Payload
from guard.ports.rows import RowChanged, StoredRow, WriteRefused
from guard.receive.delivery import ASYNCHRONOUS, SYNCHRONOUS
from guard.record import OfHold
from kernel.failpoints import failpoint
from kernel.log import get_logger
from kernel.tasks import Task
from kernel.workers import Again, Done, Failed, NeedsPerson, TaskOutcome

ANNOUNCED = failpoint(
    "guard.apply-announced", "The nonce and values of a write that was released are written down."
)
NOT_APPLIED = failpoint(
    "guard.not-applied", "A hold ends without its write, as its row is another by now."
)
TRIES_ON_A_CHANGED_ROW = 3
BY_HAND = "Have the requester make the edit, under a written exception."
log = get_logger("guard")


@dataclass(frozen=True, slots=True)
class ApplyPayload(Payload):
    """The row, and the hold that was released."""

    hold_id: str


class Apply(Obligation[ApplyPayload]):
    """Writes what an approver released."""

    kind = "apply"
    doc = "The columns of a released hold are written, if the row is still as it was."
    payload = ApplyPayload

    @classmethod
    def owed_by(cls, committed: Committed) -> ApplyPayload | None:
        """It is owed when an approver released what the guard may write itself."""
        change = committed.change
        if committed.releases is None or change is None:
            return None
        one = change.change
        asked = HeldChange.of(
            one.table, one.record_id, one.operation, (one.before, one.after), ("", None)
        )
        if asked.settlement is not Settlement.WRITE:
            return None
        return ApplyPayload(one.table, one.record_id, committed.releases)

    async def carry_out(self, owed: ApplyPayload, task: Task) -> TaskOutcome:
        """Write the columns unless that was done already, and record what came of it."""
        for _ in range(TRIES_ON_A_CHANGED_ROW):
            # (1) Look at the hold, which has to be as its act states, and at the row.
            hold = await self._means.database.read(lambda c: holds.find_stated(c, owed.hold_id))
            if hold is None:
                return Failed("nobody is recorded to have released it")
            row = await self._means.rows.row(owed.table, owed.record_id)
            # (2) What was written by an earlier try is recorded, whatever became of the hold.
            is_done = row is not None and standing_of(hold.change, row).is_done
            if row is not None and is_done and await self._is_announced(task):
                return await self._committed(hold, row)
            now = self._means.recorder.now()
            if hold.state_at(now) is not HoldState.APPROVED:
                return Failed(f"the hold has ended: {hold.state_at(now).doc}")
            # (3) Write nothing over what was changed since.
            reason = _why_another(hold, row)
            if row is None or reason is not None:
                return await self._superseded(hold, reason or "The row is gone.")
            # (4) The rules have the last word.
            ending = await self._judge_again(hold, row)
            if ending is not None:
                return ending
            # (5) Announce the write, then make it, if the row is still as it was read.
            try:
                await self._write(hold, row, task)
            except RowChanged:
                continue
            except HoldTaken:
                # Somebody refused it a moment ago.
                continue
            except WriteRefused as refusal:
                hint = refusal.hint or BY_HAND
                return NeedsPerson(refusal.message, hint, error_code=refusal.code)
            # (6) Record what came of it, and of the hold meanwhile.
            hold = await self._means.database.read(lambda c: holds.find_stated(c, owed.hold_id))
            row = await self._means.rows.row(owed.table, owed.record_id)
            if hold is None or row is None:
                return Done("written; the row, or what is recorded of its release, is gone")
            return await self._committed(hold, row)
        return Again("the row keeps changing")

    async def _is_announced(self, task: Task) -> bool:
        return await self._means.ledger.own_write(nonce_of(task)) is not None

    async def _judge_again(self, hold: Hold, row: StoredRow) -> TaskOutcome | None:
        """Return how it ends where the rules do not let the released change pass any more."""
        now, change = self._means.recorder.now(), hold.change
        judged = await self._means.judge.judge(
            change_now(change, row),
            actor_id=change.requester_id,
            on_behalf_by=change.on_behalf_by,
            is_synchronous=True,
            now=now,
            agreed=holds.agreement_in(hold),
        )
        if judged.decision.outcome in ALLOWING:
            return None
        rules = ", ".join(one.id for one in judged.decision.contributing)
        if judged.decision.cause == "error":
            return Again(f"could not be judged: {rules}")
        settled = Settled(
            hold.id,
            (HoldState.APPROVED,),
            HoldState.REFUSED,
            change.record_id,
            f"The rules do not allow it any more: {rules}.",
        )
        await self._means.recorder.judged(
            _case(hold, mode=SYNCHRONOUS),
            judged,
            now=now,
            of_hold=OfHold(settled=settled, is_asked_for=True),
            hold_id=hold.id,
        )
        return Failed(f"the rules do not allow it any more: {rules}")

    async def _write(self, hold: Hold, row: StoredRow, task: Task) -> None:
        """Write the columns. Raises RowChanged, WriteRefused, and HoldTaken for a refused hold."""
        columns, now = columns_of(hold.change), self._means.recorder.now()
        withdrawals = consequences.of_allowed(change_now(hold.change, row)).withdrawals

        def take_away(connection: Connection) -> None:
            # What rests on the old values ends first: nobody reaches a mailbox in between.
            for one in withdrawals:
                withdraw(connection, one, now=now)
            holds.require_approved(connection, hold.id, now=now)

        nonce = await announce(
            self._means, task, row, columns, failpoint=ANNOUNCED, beside=take_away
        )
        await self._means.rows.update(row.table, row.record_id, columns, etag=row.etag, tag=nonce)
        log.info("hold_applied", hold_id=hold.id, record_id=row.record_id, columns=sorted(columns))

    async def _committed(self, hold: Hold, row: StoredRow) -> TaskOutcome:
        """Record the change that was written, which may owe something itself.

        One that somebody refused between its announcement and its writing is judged without their
        word, and is taken back.
        """
        means, now, change = self._means, self._means.recorder.now(), hold.change
        if hold.state is HoldState.APPLIED:
            return Done("written and recorded")
        is_released = hold.state is not HoldState.REFUSED
        made: GuardedChange = change_made(change, row)
        copy = await means.ledger.mirrored(change.table, change.record_id)
        judged = await means.judge.judge(
            made,
            actor_id=change.requester_id,
            on_behalf_by=change.on_behalf_by,
            is_synchronous=False,
            now=now,
            agreed=holds.agreement_in(hold) if is_released else None,
        )
        known = allowed(row, copy, change.after, change.altered, read_at=now)
        since = (HoldState.APPROVED, HoldState.EXPIRED)
        settled = Settled(hold.id, since, HoldState.APPLIED, change.record_id)
        if judged.decision.outcome not in ALLOWING:
            told = "The rules did not allow what was written, and it was taken back."
            settled = replace(settled, state=HoldState.REFUSED, reason=told)
        recorded = await means.recorder.judged(
            _case(hold, mode=ASYNCHRONOUS),
            judged,
            now=now,
            copy=known,
            of_hold=OfHold(settled=settled if is_released else None),
            hold_id=hold.id,
        )
        return Done(f"written, decision {recorded.id}")

    async def _superseded(self, hold: Hold, reason: str) -> TaskOutcome:
        now = self._means.recorder.now()
        settled = Settled(
            hold.id, (HoldState.APPROVED,), HoldState.SUPERSEDED, hold.change.record_id, reason
        )
        await self._means.database.write(
            lambda c: holds.settle(c, settled, None, now=now), failpoint=NOT_APPLIED
        )
        return Failed(reason)


def _why_another(hold: Hold, row: StoredRow | None) -> str | None:
    """Return why the row is not the one any more on which the change was asked for."""
    if row is None:
        return "The row is gone."
    standing = standing_of(hold.change, row)
    if standing.is_done:
        return "Somebody else made the change meanwhile."
    if standing.others:
        return f"The row was changed since: {', '.join(standing.others)}."
    return None


def _case(hold: Hold, *, mode: int) -> Case:
    change = hold.change
    return Case(
        table=change.table,
        record_id=change.record_id,
        operation=change.operation,
        mode=mode,
        stage=20 if mode == SYNCHRONOUS else 40,
        initiating_user_id=change.requester_id,
        on_behalf_by=change.on_behalf_by,
        # Recorded once, however often a worker comes here.
        key=f"hold {hold.id} applied" if mode == ASYNCHRONOUS else None,
        source=FROM_RELEASE,
    )
