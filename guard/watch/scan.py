"""Every existing address judged by every policy of its table (docs/contract.md, `scan`).

`apply` grants what Dataverse already holds approved and the policies find nothing against, and
withdraws what they do. What a person withdrew is left (law 17), and what is approved already keeps
its evidence. Withdrawing more than max(20, 5 %) stops before the first write.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection

from guard.columns.compare import is_equal
from guard.columns.owner import owner_of
from guard.columns.table import APPROVAL, APPROVED, MAILBOX, TABLES, TableRole
from guard.facts.users import Users
from guard.identity import OwnIdentity
from guard.judge import Judge
from guard.ledger.entry import Recorded, iso
from guard.ledger.port import ALLOWED, Ledger
from guard.obligations.grant import newest_decision, record_refusal
from guard.obligations.resolve import Resolved, Unresolved, resolve
from guard.ports.directory import Directory
from guard.ports.rows import Rows, StoredRow
from guard.receive.delivery import ASYNCHRONOUS
from guard.record import DecisionRecorder
from guard.registration.stored import why_nothing_is_granted
from guard.watch.rejudging import GOOD, objection_to
from guard.watch.stopping import done, let_through
from guard.watch.unanswered import UnansweredLimit, ask_each
from kernel import approvals
from kernel.approvals import Approval, WithdrawalCause, WithdrawalStands
from kernel.brake import Release, brake
from kernel.database import Database
from kernel.digest import digest_of
from kernel.errors import Conflict, GuardError, Unavailable
from kernel.failpoints import failpoint
from rules.engine.row import Judgement
from rules.operators.fields import fold

SCAN_GRANTED = failpoint(
    "guard.scan-granted", "A mailbox that was approved before is held approved."
)
SCAN_WITHDRAWN = failpoint("guard.scan-withdrawn", "A mailbox that fails a policy is withdrawn.")

WITHDRAWALS = brake(
    "guard.scan",
    counts="approvals that one `scan --apply` would withdraw",
    total="approved mailboxes",
    release=Release.YES_WITHDRAW,
)


# So far back a decision on an approval is looked for.
REMEMBERED = timedelta(days=365)
TAKEN_AWAY = (
    "The newest decision on its approval ({decision}) left it without one, and Dataverse shows one "
    "all the same. Set it to Pending there, then have a qualified person set it to Approved."
)
WOULD_END = "A scan found that the policies do not allow it, among too many at once."


class BrakePulled(Conflict):
    """More would be withdrawn at once than without a person's word."""

    code = "brake-pulled"


@dataclass(frozen=True, slots=True)
class ScannedRow:
    """One row, judged; `fingerprint` is the digest of the row as it is and of the policy set.

    A row that was not judged has the result `error` and the reason.
    """

    row: StoredRow
    address: str
    judgement: Judgement
    fingerprint: str = ""
    reason: str | None = None

    @property
    def is_mailbox(self) -> bool:
        """Return whether the row itself is a mailbox, not the owner of one."""
        return TABLES[self.row.table].role is TableRole.MAILBOX

    def listed(self) -> dict[str, Any]:
        """Return the row as docs/contract.md words it."""
        return {
            "table": self.row.table,
            "record_id": self.row.record_id,
            "address": self.address,
            "result": self.judgement.result,
            "rules": list(self.judgement.rules),
            "not_evaluable": list(self.judgement.not_evaluable),
            **({"reason": self.reason} if self.reason else {}),
        }


@dataclass(slots=True)
class Applied:
    """What `apply` did, by mailbox record; `unanswered` is why it stopped looking up, if so.

    `kept` are those that were approved already, for the same address, object and owner.
    """

    granted: list[str] = field(default_factory=list)
    withdrawn: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    left: dict[str, str] = field(default_factory=dict)
    unanswered: str | None = None


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is to be done about one mailbox: exactly one of the three is given."""

    scanned: ScannedRow
    seen: str | None
    left: str | None = None
    refused: str | None = None
    resolved: Resolved | None = None

    @property
    def record_id(self) -> str:
        """Return the mailbox record."""
        return self.scanned.row.record_id


Seen = Callable[[ScannedRow], None]
NOT_JUDGED = Judgement("error", (), (), (), ())
NOTHING_KNOWN: Mapping[str, Judgement] = MappingProxyType({})


def _unseen(row: ScannedRow) -> None:
    """Look away."""


class Scanner:
    """Judges what is already there."""

    def __init__(
        self,
        database: Database,
        rows: Rows,
        ledger: Ledger,
        users: Users,
        directory: Directory,
        judge: Judge,
        recorder: DecisionRecorder,
        identity: OwnIdentity,
    ) -> None:
        self._database = database
        self._rows = rows
        self._ledger = ledger
        self._users = users
        self._directory = directory
        self._judge = judge
        self._recorder = recorder
        self._identity = identity

    async def scan(
        self, *, known: Mapping[str, Judgement] = NOTHING_KNOWN, seen: Seen = _unseen
    ) -> list[ScannedRow]:
        """Return every row that has an address, judged. Raises a GuardError for unread rows.

        `known` holds judgements of an interrupted scan by their fingerprints: a row that is as it
        was then, under the same policies, is not judged again. `seen` gets each row as it is done.
        Once no look-up is answered any more, the rest is an error without being looked up.
        """
        found: list[ScannedRow] = []
        limit = UnansweredLimit()

        async def judged(given: tuple[StoredRow, str]) -> ScannedRow:
            one = await self._judged(*given, known, limit)
            seen(one)
            return one

        for table in TABLES.values():
            async for page in self._rows.pages(table.name):
                addresses = ((row, row.columns.get(table.address)) for row in page)
                wanted = [(row, text) for row, text in addresses if isinstance(text, str) and text]
                found += await ask_each(wanted, judged)
        return found

    async def _judged(
        self,
        row: StoredRow,
        address: str,
        known: Mapping[str, Judgement],
        limit: UnansweredLimit,
    ) -> ScannedRow:
        fingerprint = digest_of(
            [
                self._judge.policy_set.digest,
                row.table,
                row.record_id,
                {name: str(value) for name, value in row.columns.items()},
            ]
        )
        judgement = known.get(fingerprint)
        if judgement is not None:
            return ScannedRow(row, address, judgement, fingerprint)
        if limit.ended is not None:
            return ScannedRow(row, address, NOT_JUDGED, fingerprint, limit.ended)
        judged = await self._judge.judge_row(
            row.table, row.record_id, row.columns, now=self._recorder.now()
        )
        if judged.unanswered is not None:
            limit.unanswered(judged.unanswered)
        elif judged.is_answered:
            limit.answered()
        return ScannedRow(row, address, judged.judgement, fingerprint)

    async def apply(
        self, scanned: list[ScannedRow], *, withdrawals_allowed: int | None = None
    ) -> Applied:
        """Grant and withdraw by what was scanned.

        `withdrawals_allowed` is a person's word that so many may be withdrawn.
        Raises BrakePulled before the first write when more would be; Unavailable while the
        organisation is not known, because then nothing is granted.
        """
        if self._identity.organization_id is None:
            raise Unavailable(
                "The organisation is not known yet, so nothing is granted.",
                hint="Set MAILBOX_GUARD_ORGANIZATION_ID or check the Dataverse settings.",
            )
        # (1) Say for each mailbox what is to be done; of owners only their judgement counts.
        owners = {one.row.record_id: one.judgement for one in scanned if not one.is_mailbox}
        mailboxes = [one for one in scanned if one.is_mailbox]
        limit = UnansweredLimit()
        plans = await ask_each(mailboxes, lambda one: self._plan(one, owners, limit))
        # (2) Stop before the first write when too many would lose their approval (law 8).
        await self._check_brake(plans, withdrawals_allowed)
        # (3) Write, each mailbox in a transaction of its own.
        applied = Applied(unanswered=limit.ended)
        for plan in plans:
            await self._carry_out(plan, applied)
        await done(self._database, WITHDRAWALS, MAILBOX.name, [one.record_id for one in plans])
        return applied

    async def _plan(
        self, one: ScannedRow, owners: Mapping[str, Judgement], limit: UnansweredLimit
    ) -> _Plan:
        """Return what is to be done about a mailbox, before anything is written."""
        record_id = one.row.record_id
        seen = await self._database.read(newest_decision(record_id))
        held = await self._database.read(lambda c: approvals.find(c, record_id))
        if held is not None and held.is_withdrawn_by_person:
            return _Plan(one, seen, left=approvals.standing(held).message)
        owner = owners.get(_owner_id(one.row))
        reason = objection_to(one.row, one.address, one.judgement, owner)
        if reason is not None:
            return _Plan(one, seen, refused=reason)
        reason = _why_left(one, owner)
        if reason is not None:
            return _Plan(one, seen, left=reason)
        is_held = held is not None and held.state == approvals.APPROVED
        if not is_held and (taken := await self._taken_away(one.row)) is not None:
            return _Plan(one, seen, left=TAKEN_AWAY.format(decision=taken.id))
        if limit.ended is not None:
            return _Plan(one, seen, left=limit.ended)
        try:
            # The scan may have taken long: the row is read again.
            row = await self._rows.row(MAILBOX.name, record_id)
            if row is None or row.columns != one.row.columns:
                return _Plan(one, seen, left="The row changed during the scan.")
            resolved = await resolve(row, one.address, users=self._users, directory=self._directory)
        except GuardError as error:
            if error.transient:
                limit.unanswered(error.message)
            return _Plan(one, seen, left=error.message)
        limit.answered()
        if isinstance(resolved, Unresolved):
            return _Plan(one, seen, refused=resolved.reason)
        return _Plan(one, seen, resolved=resolved)

    async def _taken_away(self, row: StoredRow) -> Recorded | None:
        """Return the newest decision on a row's approval if it left the row without one.

        A row that is approved all the same was approved past the guard, or its delivery is still on
        its way: no scan gives back what somebody took away (law 17).
        """
        since = self._recorder.now() - REMEMBERED
        about = [one for one in (row.record_id, _owner_id(row)) if one]
        made = [await self._ledger.decisions_on(one, since=since) for one in about]
        committed = [
            one
            for decisions in made
            for one in decisions
            if one.decision in ALLOWED and one.public.get("mode") == ASYNCHRONOUS
        ]
        altered = [
            one
            for one in committed
            if not is_equal(one.before.get(APPROVAL), one.after.get(APPROVAL))
        ]
        newest = max(altered, key=lambda one: one.id, default=None)
        return newest if newest is not None and newest.after.get(APPROVAL) != APPROVED else None

    async def _check_brake(self, plans: list[_Plan], allowed: int | None) -> None:
        now = self._recorder.now()
        held = await self._database.read(lambda c: approvals.list_approved(c, now=now))
        approved = {one.record_id for one in held}
        ending = sorted(
            plan.record_id for plan in plans if plan.refused and plan.record_id in approved
        )
        if allowed is not None and len(ending) <= allowed:
            return
        _, braked = await let_through(
            self._database, WITHDRAWALS, MAILBOX.name, ending,
            rows=len(held), reason=WOULD_END, now=now,
        )  # fmt: skip
        if braked is not None:
            raise BrakePulled(
                f"{len(ending)} approvals would be withdrawn at once: {', '.join(ending)}.",
                hint=f"Look at them; `--yes-withdraw {len(ending)}` does it.",
                withdrawing=ending,
            )

    async def _carry_out(self, plan: _Plan, applied: Applied) -> None:
        if plan.left is not None:
            applied.left[plan.record_id] = plan.left
        elif plan.refused is not None:
            if await self._refuse(plan.scanned.row, plan.refused):
                applied.withdrawn.append(plan.record_id)
            else:
                applied.left[plan.record_id] = plan.refused
        elif not self._recorder.enforces:
            applied.left[plan.record_id] = "Observing: nothing is granted."
        else:
            await self._grant(plan, applied)

    async def _refuse(self, row: StoredRow, reason: str) -> bool:
        """Withdraw, and return whether an approval ended.

        What Dataverse holds approved is held refused here, so that its reason is shown.
        """
        now, cause = self._recorder.now(), WithdrawalCause.SCAN

        def write(connection: Connection) -> bool:
            held = approvals.find(connection, row.record_id)
            if row.columns.get(APPROVAL) == APPROVED:
                record_refusal(connection, row, cause, reason, now=now)
            else:
                approvals.withdraw(
                    connection, record_id=row.record_id, cause=cause, reason=reason, now=now
                )
            return held is not None and held.state == approvals.APPROVED

        return await self._database.write(write, failpoint=SCAN_WITHDRAWN)

    async def _grant(self, plan: _Plan, applied: Applied) -> None:
        """Hold a mailbox approved unless it is, or a decision was made since it was read."""
        now, one, resolved = self._recorder.now(), plan.scanned, plan.resolved
        if resolved is None:
            return
        evidence = {
            "pre_existing": True,
            "approved_by": None,
            "read_at": iso(now),
            **resolved.identity,
            "policy_set": self._judge.policy_set.digest,
            "rules": list(one.judgement.evaluated),
        }

        def write(connection: Connection) -> list[str] | str | None:
            if newest_decision(plan.record_id)(connection) != plan.seen:
                return None
            held = approvals.find(connection, plan.record_id)
            if held is not None and held.is_approved(now) and _is_of(held, one, resolved):
                return applied.kept
            if why := why_nothing_is_granted(connection):
                return why
            approvals.grant(
                connection,
                record_id=plan.record_id,
                address=one.address,
                object_id=resolved.person.object_id,
                owner_id=resolved.owner.id,
                owner_type=resolved.owner_type,
                evidence=evidence,
                now=now,
            )
            return applied.granted

        try:
            done = await self._database.write(write, failpoint=SCAN_GRANTED)
        except WithdrawalStands as error:
            applied.left[plan.record_id] = error.message
            return
        if done is None:
            applied.left[plan.record_id] = "A change of the row was decided meanwhile."
        elif isinstance(done, str):
            applied.left[plan.record_id] = done
        else:
            done.append(plan.record_id)


def _is_of(held: Approval, one: ScannedRow, resolved: Resolved) -> bool:
    """Return whether an approval is of the address, object and owner that were found."""
    return (fold(held.address), held.object_id, held.owner_id, held.owner_type) == (
        fold(one.address),
        resolved.person.object_id,
        resolved.owner.id,
        resolved.owner_type,
    )


def _owner_id(row: StoredRow) -> str:
    owner = owner_of(row.table, row.record_id, row.columns)
    return owner.id if owner is not None else ""


def _why_left(one: ScannedRow, owner: Judgement | None) -> str | None:
    """Return why a mailbox is neither granted nor withdrawn, if so."""
    if one.reason is not None:
        return one.reason
    if one.judgement.result not in GOOD:
        return f"The scan found: {', '.join(one.judgement.rules)}."
    if not one.judgement.evaluated:
        return "No enforced rule could be evaluated on the row."
    if owner is not None and owner.result not in GOOD:
        return f"The owner's row has the result {owner.result}."
    return None
