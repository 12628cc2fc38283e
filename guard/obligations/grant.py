"""The obligation `grant`: read the row back, judge it, and only then hold the mailbox approved.

A payload may take away, only a read may give.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from guard.case import FROM_GRANT, read_back_case
from guard.columns import ACTIVE, APPROVAL, APPROVED, PENDING
from guard.identity import OwnIdentity
from guard.judge import Judge, Judged
from guard.ledger.entry import iso
from guard.ledger.port import ALLOWED
from guard.ledger.tables import decisions
from guard.obligations.resolve import Resolved, Unresolved, resolve
from guard.ports.directory import Directory
from guard.ports.rows import Rows, StoredRow
from guard.record import DecisionRecorder
from kernel import approvals
from kernel.approvals import WithdrawalCause
from kernel.database import Database
from kernel.failpoints import failpoint
from kernel.log import get_logger
from kernel.tasks import Task
from kernel.workers import Again, Done, NeedsPerson, TaskOutcome
from rules.model.change import Change
from rules.operators.fields import fold

GRANTED = failpoint("guard.grant", "A mailbox that was read back and judged is held approved.")
NOT_GRANTED = failpoint("guard.not-granted", "A mailbox that was read back is held not approved.")

ATTEMPTS_FOR_FACTS = 6
log = get_logger("guard")


@dataclass(frozen=True, slots=True)
class NotGranted:
    """Why a mailbox is not approved."""

    reason: str


class Granter:
    """Grants approvals. Everything it relies on is read anew, by the guard itself."""

    def __init__(
        self,
        database: Database,
        rows: Rows,
        directory: Directory,
        judge: Judge,
        decider: DecisionRecorder,
        own: OwnIdentity,
    ) -> None:
        self._database = database
        self._rows = rows
        self._directory = directory
        self._judge = judge
        self._decider = decider
        self._own = own

    async def carry_out(self, task: Task) -> TaskOutcome:
        """Handle a task of kind `grant`."""
        if not self._decider.enforces:
            return Done("observing: nothing is granted")
        if self._own.organization_id is None:
            return Again("The organisation is not known yet.")
        payload = task.payload
        seen = await self._database.read(newest_decision(payload["record_id"]))
        mailboxes = await self._mailboxes(payload)
        if not mailboxes:
            return Done("not approved: there is no mailbox row")
        results: list[str] = []
        for row in mailboxes:
            outcome = await self._consider(row, task, seen)
            if isinstance(outcome, Again | NeedsPerson):
                return outcome
            results.append(outcome)
        return Done("; ".join(results))

    async def _mailboxes(self, payload: dict[str, Any]) -> list[StoredRow]:
        if payload["table"] != "mailbox":
            return list(await self._rows.mailboxes_of(payload["record_id"]))
        row = await self._rows.row("mailbox", payload["record_id"])
        return [] if row is None else [row]

    async def _consider(
        self, row: StoredRow, task: Task, seen: str | None
    ) -> str | Again | NeedsPerson:
        payload = task.payload
        address = payload["address"]
        reason = why_not(row, address)
        if reason is not None:
            return await self._refuse(row, NotGranted(reason))
        resolved = await resolve(row, address, rows=self._rows, directory=self._directory)
        if isinstance(resolved, Unresolved):
            return await self._refuse(row, NotGranted(resolved.reason))
        judged = await self._judge_again(row, task)
        if isinstance(judged, Again):
            return judged
        if isinstance(judged, NotGranted):
            return await self._refuse(row, judged)
        # What the platform approves by itself is the act of whoever scheduled the test (law 3).
        approver = judged.attributed_to or payload["actor_id"]
        return await self._grant(row, resolved, payload, seen, approver=approver)

    async def _judge_again(self, row: StoredRow, task: Task) -> Judged | NotGranted | Again:
        """Judge the row that was read by the mailbox policies, as the actor's approval of it.

        What comes back as judged is allowed.
        """
        payload, now = task.payload, self._decider.now()
        earlier = payload.get("before_approval")
        before = {**row.columns, APPROVAL: PENDING if earlier in (None, APPROVED) else earlier}
        change = Change(
            table="mailbox",
            operation="update",
            record_id=row.record_id,
            before=before,
            after=row.columns,
            sent=frozenset({APPROVAL}),
            request={"columns": (APPROVAL,), "mode": 1, "stage": 40, "depth": 1},
        )
        judged = await self._judge.judge(
            change, actor_id=payload["actor_id"], is_synchronous=False, now=now
        )
        if judged.decision.outcome.value not in ALLOWED:
            return await self._rejected(row, change, judged, task, now)
        worth = await self._judge.judge_row("mailbox", row.record_id, row.columns, now=now)
        if worth.result == "error" and task.attempts < ATTEMPTS_FOR_FACTS:
            return Again(f"could not be judged: {', '.join(worth.rules)}")
        if worth.result not in ("pass", "warn"):
            return NotGranted(f"The row as it is would not be allowed: {', '.join(worth.rules)}.")
        return judged

    async def _rejected(
        self, row: StoredRow, change: Change, judged: Judged, task: Task, now: datetime
    ) -> NotGranted | Again:
        rules = ", ".join(finding.id for finding in judged.decision.contributing)
        if judged.decision.cause == "error" and task.attempts < ATTEMPTS_FOR_FACTS:
            return Again(f"could not be judged: {rules}")
        case = read_back_case(
            "mailbox",
            row.record_id,
            operation="update",
            source=FROM_GRANT,
            changed_at=row.modified_at or now,
            actor_id=task.payload["actor_id"],
        )
        recorded = await self._decider.judged(case, change, judged, now=now, grants=task.owner)
        return NotGranted(f"Reading back, {rules} did not allow it (decision {recorded.id}).")

    async def _grant(
        self,
        row: StoredRow,
        resolved: Resolved,
        payload: dict[str, Any],
        seen: str | None,
        *,
        approver: str | None,
    ) -> str | Again:
        now = self._decider.now()
        evidence = {
            "decision_id": payload["decision_id"],
            "approved_by": approver,
            "read_at": iso(now),
            "etag": row.etag,
            "owner_upn": resolved.owner_upn,
            "object_upn": resolved.person.upn,
            "object_mail": resolved.person.mail,
            "policy_set": self._judge.policy_set.digest,
        }
        newest = newest_decision(payload["record_id"])

        def write(connection: Connection) -> int | None:
            # A decision made since the row was read may have withdrawn what is granted here.
            if newest(connection) != seen:
                return None
            return approvals.grant(
                connection,
                record_id=row.record_id,
                address=payload["address"],
                object_id=resolved.person.object_id,
                owner_id=resolved.owner.id,
                owner_type=resolved.owner.type or "user",
                evidence=evidence,
                now=now,
            )

        epoch = await self._database.write(write, failpoint=GRANTED)
        if epoch is None:
            return Again("Another change of the row was decided meanwhile.", now)
        log.info("mailbox_approved", record_id=row.record_id, epoch=epoch)
        return f"approved, epoch {epoch}"

    async def _refuse(self, row: StoredRow, refused: NotGranted) -> str:
        now = self._decider.now()
        await self._database.write(
            lambda c: hold_refused(c, row, WithdrawalCause.READ_BACK, refused.reason, now=now),
            failpoint=NOT_GRANTED,
        )
        log.info("mailbox_not_approved", record_id=row.record_id, reason=refused.reason)
        return f"not approved: {refused.reason}"


def why_not(row: StoredRow, address: str | None) -> str | None:
    """Return why a mailbox row can't be approved for that address, if anything speaks against."""
    if row.columns.get("statecode") not in (None, ACTIVE):
        return "The mailbox row is inactive."
    if row.columns.get(APPROVAL) != APPROVED:
        return "Dataverse does not hold the address approved."
    held = row.columns.get("emailaddress")
    if not isinstance(held, str) or not held:
        return "The mailbox row has no address."
    if not isinstance(address, str) or fold(held) != fold(address):
        return "The row no longer has the address that was decided."
    return None


def hold_refused(
    connection: Connection, row: StoredRow, cause: WithdrawalCause, reason: str, *, now: datetime
) -> None:
    """Hold a mailbox withdrawn for that cause, also one that never was approved.

    The reason is what `mailboxes list` shows. Nobody sees the row approved in between.
    """
    held = approvals.find(connection, row.record_id)
    if held is None:
        address = row.columns.get("emailaddress")
        owner = row.columns.get("regardingobjectid.id") or row.columns.get("ownerid.id")
        approvals.grant(
            connection,
            record_id=row.record_id,
            address=address if isinstance(address, str) else "",
            object_id="",
            owner_id=owner if isinstance(owner, str) else "",
            owner_type="user",
            evidence={},
            now=now,
        )
    approvals.withdraw(connection, record_id=row.record_id, cause=cause, reason=reason, now=now)


def newest_decision(record_id: str) -> Callable[[Connection], str | None]:
    """Return a reading of the id of the newest decision on a row."""

    def find(connection: Connection) -> str | None:
        found: str | None = connection.scalar(
            select(func.max(decisions.c.id)).where(decisions.c.record_id == record_id)
        )
        return found

    return find
