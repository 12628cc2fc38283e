"""Every existing address judged by every policy of its table (design §7, `scan`).

`apply` grants what Dataverse already holds approved and the policies find nothing against, and
withdraws what they do. Withdrawing more than max(20, 5 %) stops before the first write.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from guard.actions.grant import hold_refused, newest_decision, why_not
from guard.actions.resolve import Resolved, Unresolved, resolve
from guard.columns import TABLES
from guard.deciding import Decider
from guard.facts.directory import Directory
from guard.facts.owner import owner_of
from guard.facts.rows import Rows, StoredRow
from guard.judge import Judge
from guard.ledger.effects import withdraw
from guard.ledger.entry import Withdrawal, iso
from guard.own import Own
from kernel import approvals
from kernel.database import Database
from kernel.errors import Conflict, GuardError, Unavailable
from kernel.failpoints import step
from rules.scanning import Judgement

SCAN_GRANTED = step("guard.scan-granted", "A mailbox that was approved before is held approved.")
SCAN_WITHDRAWN = step("guard.scan-withdrawn", "A mailbox that fails a policy is withdrawn.")

BRAKE_COUNT = 20
BRAKE_SHARE = 0.05
GOOD = ("pass", "warn")
BAD = ("fail", "hold")


class BrakePulled(Conflict):
    """More would be withdrawn at once than without a person's word."""

    code = "brake-pulled"


@dataclass(frozen=True, slots=True)
class ScannedRow:
    """One row with what it is worth."""

    row: StoredRow
    address: str
    judgement: Judgement

    def listed(self) -> dict[str, Any]:
        """Return the row as design §7 words it."""
        return {
            "table": self.row.table,
            "record_id": self.row.record_id,
            "address": self.address,
            "result": self.judgement.result,
            "rules": list(self.judgement.rules),
            "not_evaluable": list(self.judgement.not_evaluable),
        }


@dataclass(slots=True)
class Applied:
    """What `apply` did, by mailbox record."""

    granted: list[str] = field(default_factory=list)
    withdrawn: list[str] = field(default_factory=list)
    left: dict[str, str] = field(default_factory=dict)


class Scanner:
    """Judges what is already there."""

    def __init__(
        self,
        database: Database,
        rows: Rows,
        directory: Directory,
        judge: Judge,
        decider: Decider,
        own: Own,
    ) -> None:
        self._database = database
        self._rows = rows
        self._directory = directory
        self._judge = judge
        self._decider = decider
        self._own = own

    async def scan(self) -> list[ScannedRow]:
        """Return every row that has an address, judged. Raises a GuardError for unread rows."""
        found: list[ScannedRow] = []
        for table in TABLES.values():
            async for page in self._rows.pages(table.name):
                for row in page:
                    address = row.columns.get(table.address)
                    if isinstance(address, str) and address:
                        found.append(await self._judged(row, address))
        return found

    async def _judged(self, row: StoredRow, address: str) -> ScannedRow:
        judgement = await self._judge.judge_row(
            row.table, row.record_id, row.columns, now=self._decider.now()
        )
        return ScannedRow(row, address, judgement)

    async def apply(
        self, scanned: list[ScannedRow], *, withdrawals_allowed: int | None = None
    ) -> Applied:
        """Grant and withdraw by what was scanned.

        `withdrawals_allowed` is a person's word that so many may be withdrawn.
        Raises BrakePulled before the first write when more would be; Unavailable while the
        organisation is not known, because then nothing is granted.
        """
        if self._own.organization_id is None:
            raise Unavailable(
                "The organisation is not known yet, so nothing is granted.",
                hint="Set MAILBOX_GUARD_ORGANIZATION_ID or check the Dataverse settings.",
            )
        mailboxes = [one for one in scanned if one.row.table == "mailbox"]
        owners = {
            one.row.record_id: one.judgement.result for one in scanned if one.row.table != "mailbox"
        }
        withdrawing = await self._withdrawing(mailboxes, owners)
        await self._check_brake(withdrawing, withdrawals_allowed)
        applied = Applied()
        for one in mailboxes:
            record_id = one.row.record_id
            if record_id in withdrawing:
                await self._withdraw(record_id, withdrawing[record_id])
                applied.withdrawn.append(record_id)
            else:
                seen = await self._database.read(newest_decision(record_id))
                reason = await self._grant(one, owners, seen)
                if reason is None:
                    applied.granted.append(record_id)
                else:
                    applied.left[record_id] = reason
        return applied

    async def _withdrawing(
        self, mailboxes: list[ScannedRow], owners: Mapping[str, str]
    ) -> dict[str, str]:
        """Return the approved mailboxes that are to be withdrawn, with the reason."""
        now = self._decider.now()
        held = await self._database.read(lambda c: approvals.list_approved(c, now=now))
        approved = {one.record_id: one for one in held}
        reasons: dict[str, str] = {}
        for one in mailboxes:
            if one.row.record_id not in approved:
                continue
            if one.judgement.result in BAD:
                rules = ", ".join(one.judgement.rules)
                reasons[one.row.record_id] = f"The scan found: {rules}."
            elif owners.get(_owner_id(one.row)) in BAD:
                reasons[one.row.record_id] = "The scan found a policy against the owner's row."
        return reasons

    async def _check_brake(self, withdrawing: Mapping[str, str], allowed: int | None) -> None:
        now = self._decider.now()
        held = await self._database.read(lambda c: len(approvals.list_approved(c, now=now)))
        limit = max(BRAKE_COUNT, BRAKE_SHARE * held)
        if len(withdrawing) > limit and (allowed is None or allowed < len(withdrawing)):
            raise BrakePulled(
                f"{len(withdrawing)} approvals would be withdrawn at once: "
                f"{', '.join(sorted(withdrawing))}.",
                hint=f"Look at them; `--yes-withdraw {len(withdrawing)}` does it.",
                withdrawing=sorted(withdrawing),
            )

    async def _withdraw(self, record_id: str, reason: str) -> None:
        now = self._decider.now()
        withdrawal = Withdrawal(reason, record_id=record_id)
        await self._database.write(lambda c: withdraw(c, withdrawal, now=now), step=SCAN_WITHDRAWN)

    async def _grant(
        self, one: ScannedRow, owners: Mapping[str, str], seen: str | None
    ) -> str | None:
        """Grant a mailbox that Dataverse holds approved; return why not, if not."""
        reason = _why_left(one, owners)
        if reason is not None:
            if one.judgement.result in BAD and why_not(one.row, one.address) is None:
                return await self._refuse(one.row, reason)
            return reason
        # The scan may have taken long: the row is read again right before.
        row = await self._rows.row("mailbox", one.row.record_id)
        if row is None:
            return "The row is no longer there."
        reason = why_not(row, one.address)
        if reason is not None:
            return reason
        try:
            resolved = await resolve(row, one.address, rows=self._rows, directory=self._directory)
        except GuardError as error:
            return error.message
        now = self._decider.now()
        if isinstance(resolved, Unresolved):
            unresolved = resolved.reason
            await self._database.write(
                lambda c: hold_refused(c, row, unresolved, now=now), step=SCAN_WITHDRAWN
            )
            return unresolved
        await self._database.write(lambda c: self._write_grant(c, one, resolved), step=SCAN_GRANTED)
        return None

    def _write_grant(self, connection: Connection, one: ScannedRow, resolved: Resolved) -> int:
        now = self._decider.now()
        return approvals.grant(
            connection,
            record_id=one.row.record_id,
            address=one.address,
            object_id=resolved.person.object_id,
            owner_id=resolved.owner.id,
            owner_type=resolved.owner.type or "user",
            evidence={
                "pre_existing": True,
                "approved_by": None,
                "read_at": iso(now),
                "object_upn": resolved.person.upn,
                "owner_upn": resolved.owner_upn,
                "policy_set": self._judge.policy_set.digest,
                "rules": list(one.judgement.evaluated),
            },
            now=now,
        )


def _owner_id(row: StoredRow) -> str:
    owner = owner_of(row.table, row.record_id, row.columns)
    return owner.id if owner is not None else ""


def _why_left(one: ScannedRow, owners: Mapping[str, str]) -> str | None:
    """Return why a mailbox is neither granted nor withdrawn, if so."""
    if one.judgement.result not in GOOD:
        return f"The scan found: {', '.join(one.judgement.rules)}."
    if not one.judgement.evaluated:
        return "No enforced rule could be evaluated on the row."
    owner_result = owners.get(_owner_id(one.row), "pass")
    if owner_result not in GOOD:
        return f"The owner's row has the result {owner_result}."
    return why_not(one.row, one.address)
