"""The obligation `grant`: read the row back, judge it, and only then hold the mailbox approved.

A payload may take away, only a read may give.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from guard.case import FROM_GRANT, read_back_case
from guard.columns.change import GuardedChange
from guard.columns.owner import mailbox_owner_id
from guard.columns.table import (
    ACTIVE,
    APPROVAL,
    APPROVED,
    MAILBOX,
    PENDING,
    TABLES,
    OwnerType,
    TableRole,
)
from guard.consequences import Committed, why_not_approved
from guard.judge import Judged
from guard.ledger.entry import iso
from guard.ledger.port import ALLOWED
from guard.ledger.tables import decisions
from guard.obligations.obligation import Obligation, Payload
from guard.obligations.renewal import renewal_from
from guard.obligations.resolve import Resolved, Unresolved, resolve
from guard.ports.rows import StoredRow
from guard.registration.stored import why_nothing_is_granted
from kernel import approvals
from kernel.approvals import Approval, Renewal, WithdrawalCause, WithdrawalStands
from kernel.failpoints import failpoint
from kernel.log import get_logger
from kernel.tasks import Task
from kernel.workers import Again, Done, NeedsPerson, TaskOutcome
from rules.model.change import Change, Value
from rules.operators.fields import fold

GRANTED = failpoint("guard.grant", "A mailbox that was read back and judged is held approved.")
NOT_GRANTED = failpoint("guard.not-granted", "A mailbox that was read back is held not approved.")

# A fact may be missing because a service was down; so often its coming back is waited for.
ATTEMPTS_FOR_FACTS = 6
NO_ADDRESS = "The mailbox row has no address."
SWITCHED_ON = (
    "The row was switched on again by somebody whose approval {rules} would not allow. Let a "
    "qualified person set its approval in Dataverse to Pending, then to Approved."
)
log = get_logger("guard")


@dataclass(frozen=True, slots=True)
class NotGranted:
    """Why a mailbox is not approved; `logged` where that says in a person's words who and why."""

    reason: str
    logged: str | None = None


@dataclass(frozen=True, slots=True)
class GrantPayload(Payload):
    """The row that was approved, and by whom.

    `address` is the one that was decided on; `before_approval` what the approval was before, so
    that the row can be judged as the actor's approval of it. `is_switched_on` says that no more was
    done than to switch on a row that somebody else had approved.
    """

    address: Value
    actor_id: str | None
    decision_id: str
    before_approval: Value
    on_behalf_by: str | None = None
    is_switched_on: bool = False


class Grant(Obligation[GrantPayload]):
    """Grants approvals. Everything that it relies on is read anew, by the guard itself."""

    kind = "grant"
    doc = "An approved row is read back from Dataverse, and its mailbox is granted."
    payload = GrantPayload

    @classmethod
    def owed_by(cls, committed: Committed) -> GrantPayload | None:
        """It is owed when evidence changed on a row that Dataverse now holds approved.

        Whose row it is must stand before it is approved: a row that changed its identity needs an
        approval that is newer than that.
        """
        change = committed.change
        if change is None or not committed.is_allowed or not change.alters_evidence:
            return None
        if committed.releases is not None:
            return None
        if change.changes_identity:
            return None
        before, after = change.change.before, change.change.after
        if after.get(APPROVAL) != APPROVED:
            return None
        if why_not_approved(change.table.name, after) is not None:
            return None
        return GrantPayload(
            table=change.table.name,
            record_id=change.record_id,
            address=after.get(change.table.address),
            actor_id=committed.case.initiating_user_id,
            decision_id=committed.decision_id,
            before_approval=before.get(APPROVAL),
            on_behalf_by=committed.case.on_behalf_by,
            is_switched_on=not change.is_sensitive,
        )

    async def carry_out(self, owed: GrantPayload, task: Task) -> TaskOutcome:
        """Grant each mailbox of the row, or hold it not approved and say why."""
        if not self._means.recorder.enforces:
            return Done("observing: nothing is granted")
        if self._means.identity.organization_id is None or self._means.identity.user_id is None:
            return Again("The organisation and the guard's own user are not known yet.")
        # While what tells us of changes may be switched off, there is nothing to build trust on.
        if why := await self._means.database.read(why_nothing_is_granted):
            return Again(why)
        # (1) Remember which decision on the row is the newest, before anything is read.
        seen = await self._means.database.read(newest_decision(owed.record_id))
        # (2) Read the mailbox, or those of the owner; each is looked at for itself.
        mailboxes = await self._mailboxes(owed)
        if not mailboxes:
            return Done("not approved: there is no mailbox row")
        results: list[str] = []
        for row in mailboxes:
            outcome = await self._consider(row, owed, task, seen)
            if isinstance(outcome, Again | NeedsPerson):
                return outcome
            results.append(outcome)
        return Done("; ".join(results))

    async def _mailboxes(self, owed: GrantPayload) -> list[StoredRow]:
        if TABLES[owed.table].role is not TableRole.MAILBOX:
            return list(await self._means.rows.mailboxes_of(owed.record_id))
        row = await self._means.rows.row(owed.table, owed.record_id)
        return [] if row is None else [row]

    async def _consider(
        self, row: StoredRow, owed: GrantPayload, task: Task, seen: str | None
    ) -> str | Again | NeedsPerson:
        # (3) The row must hold, now, what was decided.
        address = owed.address
        reason = why_not_granted(row, address)
        if reason is not None or not isinstance(address, str):
            return await self._refuse(row, NotGranted(reason or NO_ADDRESS))
        # (3a) What a person withdrew comes back only by an approval that is newer than that.
        withdrawn = await self._withdrawn_by_person(row.record_id)
        renewal = await self._renewal(owed, withdrawn) if withdrawn is not None else None
        if withdrawn is not None and renewal is None:
            return await self._refuse(row, _as_withdrawn(approvals.standing(withdrawn)))
        # (4) The address must be that of one Entra object, the owner's own where it is a user's.
        resolved = await resolve(
            row, address, users=self._means.users, directory=self._means.directory
        )
        if isinstance(resolved, Unresolved):
            return await self._refuse(row, NotGranted(resolved.reason))
        # (5) The policies must allow the approval, and the row as it is.
        judged = await self._judge_again(row, owed, task)
        if isinstance(judged, Again):
            return judged
        if isinstance(judged, NotGranted):
            return await self._refuse(row, judged)
        # (6) Hold it approved unless anything was decided on the row since (1). What the platform
        # approves by itself is the act of whoever scheduled the test (law 3).
        if withdrawn is not None and judged.attributed_to is not None:
            # The platform's own approval is nobody's newer word.
            return await self._refuse(row, _as_withdrawn(approvals.standing(withdrawn)))
        approver = judged.attributed_to or owed.actor_id
        return await self._grant(row, resolved, owed, seen, approver=approver, renewal=renewal)

    async def _withdrawn_by_person(self, record_id: str) -> Approval | None:
        held = await self._means.database.read(lambda c: approvals.find(c, record_id))
        return held if held is not None and held.is_withdrawn_by_person else None

    async def _renewal(self, owed: GrantPayload, withdrawn: Approval) -> Renewal | None:
        """Return the renewal that the row shows on which it was decided, read for this.

        Own identities never approve.
        """
        if owed.actor_id == self._means.identity.user_id:
            return None
        asked_at = self._means.recorder.now()
        row = await self._means.rows.row(owed.table, owed.record_id)
        if row is None:
            return None
        return renewal_from(
            row,
            withdrawn=withdrawn,
            before_approval=owed.before_approval,
            actor_id=owed.actor_id,
            decided_at=await self._means.database.read(decided_at(owed.decision_id)),
            asked_at=asked_at,
        )

    async def _judge_again(
        self, row: StoredRow, owed: GrantPayload, task: Task
    ) -> Judged | NotGranted | Again:
        """Judge the row that was read by the mailbox policies, as the actor's approval of it.

        What comes back as judged is allowed.
        """
        now, earlier = self._means.recorder.now(), owed.before_approval
        # An approval that stood already is judged as if it were given now.
        before = {**row.columns, APPROVAL: PENDING if earlier in (None, APPROVED) else earlier}
        change = Change(
            table=MAILBOX.name,
            operation="update",
            record_id=row.record_id,
            before=before,
            after=row.columns,
            sent=frozenset({APPROVAL}),
            request={"columns": (APPROVAL,), "mode": 1, "stage": 40, "depth": 1},
        )
        judged = await self._means.judge.judge(
            GuardedChange(change),
            actor_id=owed.actor_id,
            on_behalf_by=owed.on_behalf_by or _on_behalf_by(row, owed),
            is_synchronous=False,
            now=now,
            is_decided=True,
        )
        if judged.decision.outcome.value not in ALLOWED:
            return await self._rejected(row, judged, owed, task, now)
        judged_row = await self._means.judge.judge_row(
            MAILBOX.name, row.record_id, row.columns, now=now
        )
        judgement, rules = judged_row.judgement, ", ".join(judged_row.judgement.rules)
        if judgement.result == "error" and task.attempts < ATTEMPTS_FOR_FACTS:
            return Again(f"could not be judged: {rules}")
        if judgement.result not in ("pass", "warn"):
            return NotGranted(f"The row as it is would not be allowed: {rules}.")
        return judged

    async def _rejected(
        self, row: StoredRow, judged: Judged, owed: GrantPayload, task: Task, now: datetime
    ) -> NotGranted | Again:
        rules = ", ".join(finding.id for finding in judged.decision.contributing)
        if judged.decision.cause == "error" and task.attempts < ATTEMPTS_FOR_FACTS:
            return Again(f"could not be judged: {rules}")
        if owed.is_switched_on:
            # Nobody approved anything, so there is no approval to reject, or to take back in
            # Dataverse: it is that of whoever gave it.
            return NotGranted(SWITCHED_ON.format(rules=rules))
        case = read_back_case(
            MAILBOX.name,
            row.record_id,
            operation="update",
            source=FROM_GRANT,
            actor_id=owed.actor_id,
            on_behalf_by=owed.on_behalf_by,
        )
        recorded = await self._means.recorder.judged(case, judged, now=now, grants=task.owner)
        return NotGranted(f"Reading back, {rules} did not allow it (decision {recorded.id}).")

    async def _grant(
        self,
        row: StoredRow,
        resolved: Resolved,
        owed: GrantPayload,
        seen: str | None,
        *,
        approver: str | None,
        renewal: Renewal | None,
    ) -> str | Again:
        now = self._means.recorder.now()
        evidence = {
            "decision_id": owed.decision_id,
            "approved_by": approver,
            "read_at": iso(now),
            "etag": row.etag,
            **resolved.identity,
            "policy_set": self._means.judge.policy_set.digest,
        }
        newest = newest_decision(owed.record_id)

        def write(connection: Connection) -> int | None:
            # A decision made since the row was read may have withdrawn what is granted here.
            if newest(connection) != seen or why_nothing_is_granted(connection):
                return None
            return approvals.grant(
                connection,
                record_id=row.record_id,
                address=resolved.address,
                object_id=resolved.person.object_id,
                owner_id=resolved.owner.id,
                owner_type=resolved.owner_type,
                evidence=evidence,
                now=now,
                renewal=renewal,
            )

        try:
            epoch = await self._means.database.write(write, failpoint=GRANTED)
        except WithdrawalStands as error:
            return await self._refuse(row, _as_withdrawn(error))
        if epoch is None:
            return Again("Meanwhile another change was decided, or grants were stopped.", now)
        log.info("mailbox_approved", record_id=row.record_id, epoch=epoch)
        return f"approved, epoch {epoch}"

    async def _refuse(self, row: StoredRow, refused: NotGranted) -> str:
        now = self._means.recorder.now()
        await self._means.database.write(
            lambda c: record_refusal(c, row, WithdrawalCause.READ_BACK, refused.reason, now=now),
            failpoint=NOT_GRANTED,
        )
        reason = refused.logged or refused.reason
        log.info("mailbox_not_approved", record_id=row.record_id, reason=reason)
        return f"not approved: {refused.reason}"


def _on_behalf_by(row: StoredRow, owed: GrantPayload) -> str | None:
    """Return who wrote the row last in the name of its approver, whatever the delivery left out."""
    return row.on_behalf_by if row.modified_by == owed.actor_id else None


def why_not_granted(row: StoredRow, address: Value) -> str | None:
    """Return why a mailbox row can't be approved for that address, if anything speaks against."""
    if row.columns.get("statecode") not in (None, ACTIVE):
        return "The mailbox row is inactive."
    if row.columns.get(APPROVAL) != APPROVED:
        return "Dataverse does not hold the address approved."
    held = row.columns.get(MAILBOX.address)
    if not isinstance(held, str) or not held:
        return NO_ADDRESS
    if not isinstance(address, str) or fold(held) != fold(address):
        return "The row no longer has the address that was decided."
    return None


def record_refusal(
    connection: Connection, row: StoredRow, cause: WithdrawalCause, reason: str, *, now: datetime
) -> None:
    """Hold a mailbox withdrawn for that cause, also one that never was approved.

    The reason is what `mailboxes list` shows. Nobody sees the row approved in between.
    """
    address = row.columns.get(MAILBOX.address)
    approvals.refuse(
        connection,
        record_id=row.record_id,
        address=address if isinstance(address, str) else "",
        owner_id=mailbox_owner_id(row.columns) or "",
        owner_type=OwnerType.USER.value,
        cause=cause,
        reason=reason,
        now=now,
    )


def _as_withdrawn(error: WithdrawalStands) -> NotGranted:
    told = f"{error.message.rstrip('.')}. {error.hint}"
    return NotGranted(told, logged="A person withdrew it, and nothing newer ends that.")


def decided_at(decision_id: str) -> Callable[[Connection], datetime | None]:
    """Return a reading of when a decision was made; None for one that is not recorded."""

    def find(connection: Connection) -> datetime | None:
        found: datetime | None = connection.scalar(
            select(decisions.c.decided_at).where(decisions.c.id == decision_id)
        )
        return found

    return find


def newest_decision(record_id: str) -> Callable[[Connection], str | None]:
    """Return a reading of the id of the newest decision on a row."""

    def find(connection: Connection) -> str | None:
        found: str | None = connection.scalar(
            select(func.max(decisions.c.id)).where(decisions.c.record_id == record_id)
        )
        return found

    return find
