"""The obligation `revert`: a rejected change that was committed is undone, once, by our own user.

Written with If-Match under a nonce that was announced first (laws 5 and 7). Carried out twice, it
finds nothing left to restore.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sqlalchemy import Connection

from guard.columns.compare import guarded_part, is_equal
from guard.columns.table import APPROVAL, MAILBOX, OWNERS, TABLES, TableRole
from guard.consequences import Committed
from guard.known_good import allowed
from guard.ledger import mirror
from guard.ledger.entry import MirrorRow
from guard.obligations.announcing import announce
from guard.obligations.obligation import Means, Obligation
from guard.obligations.restoration import (
    Rejected,
    by_word_alone,
    not_standing,
    restoration,
    way_back,
)
from guard.obligations.revert_brake import REVERTS, RevertBrake
from guard.ports.rows import AddressElsewhere, RowChanged, StoredRow, WriteRefused
from kernel import approvals
from kernel.errors import GuardError
from kernel.failpoints import failpoint
from kernel.log import get_logger
from kernel.tasks import Task, TaskCause
from kernel.workers import Again, Done, NeedsPerson, TaskOutcome
from rules.model.change import Value
from rules.model.decision import Outcome

ANNOUNCED = failpoint(
    "guard.revert-announced", "The nonce and values of an own write are written down."
)
REVERTED = failpoint("guard.reverted", "The mirror learns what a revert restored.")

TRIES_ON_A_CHANGED_ROW = 3
BY_HAND = "Set the row right in Dataverse; its approval here stays withdrawn."
log = get_logger("guard")


class Revert(Obligation[Rejected]):
    """Undoes rejected changes."""

    kind = "revert"
    doc = "The guarded columns that a rejected change altered get their old values back."
    payload = Rejected

    def __init__(self, means: Means) -> None:
        super().__init__(means)
        self._brake = RevertBrake(means, kind=self.kind)

    @classmethod
    def owed_by(cls, committed: Committed) -> Rejected | None:
        """It is owed when a change was rejected or held and stands all the same."""
        change = committed.change
        if change is None or committed.is_allowed or committed.releases is not None:
            return None
        table = change.table.name
        return Rejected(
            table=table,
            record_id=change.record_id,
            operation=change.change.operation,
            is_hold=committed.outcome is Outcome.HOLD,
            before=guarded_part(table, change.change.before),
            after=guarded_part(table, change.change.after),
            altered=change.altered,
            unknown=tuple(sorted(change.unknown)),
        )

    async def carry_out(self, owed: Rejected, task: Task) -> TaskOutcome:
        """Write back what the row still holds of the rejected change."""
        # (1) Leave what was approved since: a newer word of a qualified person stands (law 17).
        owed = await self._without_what_was_approved(owed)
        if not owed.altered:
            return Done("approved since")
        for _ in range(TRIES_ON_A_CHANGED_ROW):
            # (2) Read the row, and see what of the change it holds now, and not by right.
            copy = await self._means.ledger.mirrored(owed.table, owed.record_id)
            row = await self._means.rows.row(owed.table, owed.record_id)
            if row is None:
                return Done("the row is gone")
            now = self._means.recorder.now()
            rejected = not_standing(owed, copy, now=now)
            columns = restoration(rejected, row.columns, way_back(rejected, copy))
            if not columns:
                return Done("nothing to restore")
            # (3) Put nothing in the place of what stood there before the delivery that only it
            # tells of and the policies do not allow.
            withheld = await self._withheld(rejected, row, copy, columns)
            for name in withheld:
                del columns[name]
            if not columns:
                return _untrusted(withheld)
            # (4) Stop and ask a person when too much would be written at once (law 8).
            if task.released_at is None and await self._brake.is_pulled(owed.table, lane=task.lane):
                return NeedsPerson(
                    "more than 20 and 5 % of the rows would be reverted within a minute",
                    f"Look at what was changed; `{REVERTS.release}` lets it be undone.",
                    cause=TaskCause.BRAKE,
                )
            # (5) Announce the write, then make it, if the row is still as it was read.
            try:
                outcome = await self._restore(task, rejected, row, columns)
                done = isinstance(outcome, Done)
                return _untrusted(withheld) if withheld and done else outcome
            except RowChanged:
                # Whoever changed it may have left the guarded columns alone: look again.
                continue
        return Again("the row keeps changing")

    async def _without_what_was_approved(self, rejected: Rejected) -> Rejected:
        """Return the rejected change without the columns that an approval vouches for by now.

        The rejection ended every approval of the row, so one that is held was granted later, after
        the row was read with these values and judged. A delivery's word would not be enough.
        """
        table = TABLES[rejected.table]
        now = self._means.recorder.now()

        def held(connection: Connection) -> list[approvals.Approval]:
            if table.role is TableRole.MAILBOX:
                found = approvals.find(connection, rejected.record_id)
                return [found] if found is not None else []
            return approvals.list_owned_by(connection, rejected.record_id)

        address = rejected.after.get(table.address)
        for one in await self._means.database.read(held):
            if one.is_approved(now) and is_equal(one.address, address):
                # Whoever a row became by the rejected change was approved by nobody: while its
                # identity is in doubt nothing is granted for it.
                vouched = table.sensitive - table.identity
                shown = [name for name in (table.address, APPROVAL) if name in rejected.altered]
                await self._learn(rejected, {name: rejected.after.get(name) for name in shown})
                altered = tuple(name for name in rejected.altered if name not in vouched)
                return replace(rejected, altered=altered)
        return rejected

    async def _withheld(
        self,
        rejected: Rejected,
        row: StoredRow,
        copy: MirrorRow | None,
        columns: Mapping[str, Value],
    ) -> tuple[str, ...]:
        """Return the columns that were so before, and whose past as it is told fails the policies.

        Whoever holds the webhook key can say anything about what stood there before.
        """
        told = by_word_alone(rejected, copy, columns, now=self._means.recorder.now())
        if not told:
            return ()
        restored = {**row.columns, **columns, APPROVAL: row.columns.get(APPROVAL)}
        judged = await self._means.judge.judge_row(
            row.table, row.record_id, restored, now=self._means.recorder.now()
        )
        return told if judged.judgement.result in ("fail", "hold") else ()

    async def _restore(
        self, task: Task, rejected: Rejected, row: StoredRow, columns: dict[str, Value]
    ) -> TaskOutcome:
        nonce = await announce(self._means, task, row, columns, failpoint=ANNOUNCED)
        try:
            await self._means.rows.update(
                rejected.table, rejected.record_id, columns, etag=row.etag, tag=nonce
            )
        except AddressElsewhere:
            return await self._restore_apart(rejected, row, columns, nonce)
        except WriteRefused as refusal:
            return await self._restore_in_parts(rejected, columns, nonce, refusal)
        await self._remember(rejected, columns)
        return Done(_told(columns))

    async def _restore_apart(
        self, rejected: Rejected, row: StoredRow, columns: dict[str, Value], nonce: str
    ) -> TaskOutcome:
        """Restore the address on the user or queue that owns it (0x8005E208), the rest here."""
        owner_id = row.columns.get("regardingobjectid.id")
        if not isinstance(owner_id, str):
            return NeedsPerson("the address can't be written, and the row regards nobody", BY_HAND)
        kind = row.columns.get("regardingobjectid.type")
        address = columns.pop(MAILBOX.address)
        owner = None
        for table in (kind,) if isinstance(kind, str) else [one.name for one in OWNERS]:
            owner = owner or await self._means.rows.row(str(table), owner_id)
        if owner is None:
            return NeedsPerson("the row that owns the address is gone", BY_HAND)
        own_address = TABLES[owner.table].address
        if is_equal(owner.columns.get(own_address), rejected.after.get(MAILBOX.address)):
            there: dict[str, Value] = {own_address: address}
            if APPROVAL in columns:
                there[APPROVAL] = columns[APPROVAL]
            refused = await self._try(owner, there, nonce)
            if refused is not None:
                return refused
        fresh = await self._means.rows.row(rejected.table, rejected.record_id)
        if fresh is None:
            return Done("the row is gone")
        left = {
            name: value
            for name, value in restoration(rejected, fresh.columns, columns).items()
            if name != MAILBOX.address
        }
        if APPROVAL in columns and fresh.columns.get(APPROVAL) != columns[APPROVAL]:
            left[APPROVAL] = columns[APPROVAL]
        if left:
            refused = await self._try(fresh, left, nonce)
            if refused is not None:
                return refused
        await self._remember(rejected, {MAILBOX.address: address, **columns})
        return Done(f"restored the address on the {owner.table}; {_told(left)}")

    async def _try(
        self, row: StoredRow, columns: dict[str, Value], nonce: str
    ) -> NeedsPerson | None:
        try:
            await self._means.rows.update(
                row.table, row.record_id, columns, etag=row.etag, tag=nonce
            )
        except WriteRefused as refusal:
            return _refused(refusal)
        return None

    async def _restore_in_parts(
        self, rejected: Rejected, columns: dict[str, Value], nonce: str, refusal: WriteRefused
    ) -> TaskOutcome:
        """Restore what may be written without the approval; a person does the rest.

        The approval stays withdrawn on our side, whatever Dataverse shows.
        """
        rest = {name: value for name, value in columns.items() if name != APPROVAL}
        if rest and APPROVAL in columns:
            row = await self._means.rows.row(rejected.table, rejected.record_id)
            if row is not None and _holds(rejected, row, rest):
                try:
                    await self._means.rows.update(
                        rejected.table, rejected.record_id, rest, etag=row.etag, tag=nonce
                    )
                except WriteRefused as second:
                    return _refused(second)
                await self._remember(rejected, rest)
                said = f"the approval could not be set back: {refusal.message}"
                return replace(_refused(refusal), reason=said)
        return _refused(refusal)

    async def _remember(self, rejected: Rejected, columns: Mapping[str, Value]) -> None:
        """Learn what was restored; what can't be read is found later.

        The decision's record is what the copy rests on, and our own write explains the rest.
        """
        log.info("change_reverted", record_id=rejected.record_id, columns=sorted(columns))
        await self._learn(rejected, columns)

    async def _learn(self, rejected: Rejected, columns: Mapping[str, Value]) -> None:
        """Read the row: those of the columns that hold these values are known good from then on."""
        table, record_id, now = rejected.table, rejected.record_id, self._means.recorder.now()
        copy = await self._means.ledger.mirrored(table, record_id)
        try:
            row = await self._means.rows.row(table, record_id)
        except GuardError:
            return
        if row is None:
            return
        names = [name for name in TABLES[table].flat if name in columns]
        known = allowed(row, copy, columns, names, read_at=now)
        if known is not None:
            await self._means.database.write(lambda c: mirror.keep(c, known), failpoint=REVERTED)


def _holds(rejected: Rejected, row: StoredRow, columns: Mapping[str, Value]) -> bool:
    """Return whether the row still holds any of what is to be restored."""
    return any(
        is_equal(row.columns.get(name), rejected.after.get(name))
        for name in columns
        if name in rejected.altered
    )


def _untrusted(withheld: Sequence[str]) -> NeedsPerson:
    return NeedsPerson(
        f"what stood in {', '.join(sorted(withheld))} before is known by the delivery alone, and "
        "the policies do not allow it",
        BY_HAND,
    )


def _refused(refusal: WriteRefused) -> NeedsPerson:
    return NeedsPerson(refusal.message, refusal.hint or BY_HAND, error_code=refusal.code)


def _told(columns: Mapping[str, Value]) -> str:
    names = sorted(name for name in columns if not name.endswith(".type"))
    return f"restored {', '.join(names)}" if names else "nothing else to restore"
