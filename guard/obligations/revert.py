"""The obligation `revert`: a rejected change that was committed is undone, once, by our own user.

Written with If-Match under a nonce that was announced first (laws 5 and 7). Carried out twice, it
finds nothing left to restore.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from sqlalchemy import Connection, func, select

from guard.columns.compare import guarded_part, is_equal
from guard.columns.owner import OWNING_COLUMNS
from guard.columns.table import APPROVAL, MAILBOX, OWNERS, TABLES, TableRole
from guard.consequences import Committed
from guard.ledger import mirror, own_writes
from guard.ledger.entry import MirrorRow
from guard.ledger.port import ALLOWED
from guard.ledger.tables import mirror as mirror_table
from guard.obligations.obligation import Obligation
from guard.obligations.restoration import Rejected, restoration
from guard.own_writes import TAG, announced
from guard.ports.rows import AddressElsewhere, RowChanged, StoredRow, WriteRefused
from kernel import approvals
from kernel.brake import LEAST, Release, brake
from kernel.failpoints import failpoint
from kernel.log import get_logger
from kernel.tasks import Task, TaskCause, tasks
from kernel.workers import Again, Done, NeedsPerson, TaskOutcome
from rules.model.change import Value
from rules.model.decision import Outcome

ANNOUNCED = failpoint(
    "guard.revert-announced", "The nonce and values of an own write are written down."
)
REVERTED = failpoint("guard.reverted", "The mirror learns what a revert restored.")

TRIES_ON_A_CHANGED_ROW = 3
BY_HAND = "Set the row right in Dataverse; its approval here stays withdrawn."
REVERTS = brake(
    "guard.revert",
    counts="reverts that were added",
    total="rows of the table",
    window=timedelta(seconds=60),
    release=Release.RETRY,
)

log = get_logger("guard")


class Revert(Obligation[Rejected]):
    """Undoes rejected changes."""

    kind = "revert"
    doc = "The guarded columns that a rejected change altered get their old values back."
    payload = Rejected

    @classmethod
    def owed_by(cls, committed: Committed) -> Rejected | None:
        """It is owed when a change was rejected or held and stands all the same."""
        change = committed.change
        if change is None or committed.is_allowed:
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
        )

    async def carry_out(self, owed: Rejected, task: Task) -> TaskOutcome:
        """Write back what the row still holds of the rejected change."""
        # (1) Leave what was approved since: a newer word of a qualified person stands (law 17).
        owed = await self._without_what_was_approved(owed)
        if not owed.altered:
            return Done("approved since")
        # (2) Trust our own copy more than what the delivery said of the row before.
        rejected = await self._believed(owed)
        # (3) Stop and ask a person when too much would be written at once (law 8).
        if task.released_at is None and await self._brake_is_pulled(rejected.table):
            return NeedsPerson(
                "more than 20 and 5 % of the rows would be reverted within a minute",
                f"Look at what was changed; `{REVERTS.release}` lets it be undone.",
                cause=TaskCause.BRAKE,
            )
        for _ in range(TRIES_ON_A_CHANGED_ROW):
            # (4) Read the row, and see what of the change it still holds.
            row = await self._means.rows.row(rejected.table, rejected.record_id)
            if row is None:
                return Done("the row is gone")
            columns = restoration(rejected, row.columns)
            if not columns:
                return Done("nothing to restore")
            # (5) Announce the write, then make it, if the row is still as it was read.
            try:
                return await self._restore(task, rejected, row, columns)
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
                vouched = table.sensitive
                altered = tuple(name for name in rejected.altered if name not in vouched)
                return replace(rejected, altered=altered)
        return rejected

    async def _believed(self, rejected: Rejected) -> Rejected:
        """Return the rejected change with a `before` that may be written.

        Whoever holds the webhook key can say anything about what stood there before. Where the
        last known good copy says otherwise it holds, unless an allowed decision since explains it.
        """
        known = await self._means.ledger.mirrored(rejected.table, rejected.record_id)
        if known is None:
            return rejected
        since = await self._means.ledger.decisions_on(rejected.record_id, since=known.changed_at)
        allowed = [one.after for one in since if one.decision in ALLOWED]
        before = dict(rejected.before)
        for name in rejected.altered:
            said = before.get(name)
            if name not in known.columns or is_equal(known.columns[name], said):
                continue
            if not any(name in after and is_equal(after[name], said) for after in allowed):
                before[name] = known.columns[name]
                if name.endswith(".id"):
                    kind = f"{name.removesuffix('.id')}.type"
                    before[kind] = known.columns.get(kind)
        return replace(rejected, before=before)

    async def _brake_is_pulled(self, table: str) -> bool:
        since, kind = self._means.recorder.now() - (REVERTS.window or timedelta()), self.kind

        def count(connection: Connection) -> bool:
            reverts = connection.scalar(
                select(func.count())
                .select_from(tasks)
                .where(tasks.c.kind == kind, tasks.c.added_at >= since)
            )
            if (reverts or 0) <= LEAST:
                # The usual case, asked before each revert: the rows need not be counted.
                return False
            rows = connection.scalar(
                select(func.count())
                .select_from(mirror_table)
                .where(mirror_table.c.table_name == table)
            )
            return REVERTS.check(reverts or 0, rows or 0) is not None

        return await self._means.database.read(count)

    async def _restore(
        self, task: Task, rejected: Rejected, row: StoredRow, columns: dict[str, Value]
    ) -> TaskOutcome:
        nonce = await self._announce(task, row, columns)
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

    async def _announce(self, task: Task, row: StoredRow, columns: Mapping[str, Value]) -> str:
        """Write down what is about to be written, and on which rows it may show."""
        nonce = f"{TAG}{task.token}"
        related = [row.record_id]
        # What is written on one row the platform copies to those that belong to it.
        for name in OWNING_COLUMNS:
            other = row.columns.get(f"{name}.id")
            if isinstance(other, str):
                related.append(other)
        related += [one.record_id for one in await self._means.ledger.mailboxes_of(row.record_id)]
        now = self._means.recorder.now()
        await self._means.database.write(
            lambda c: own_writes.announce(
                c,
                nonce=nonce,
                record_ids=related,
                columns=announced(row.table, columns),
                now=now,
            ),
            failpoint=ANNOUNCED,
        )
        return nonce

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
            for name, value in restoration(rejected, fresh.columns).items()
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
            if row is not None and restoration(rejected, row.columns):
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
        """Let the mirror know the restored values, so that nothing finds them strange later."""
        now = self._means.recorder.now()
        row = MirrorRow(rejected.table, rejected.record_id, columns, now)
        await self._means.database.write(lambda c: mirror.keep(c, row), failpoint=REVERTED)
        log.info("change_reverted", record_id=rejected.record_id, columns=sorted(columns))


def _refused(refusal: WriteRefused) -> NeedsPerson:
    return NeedsPerson(refusal.message, refusal.hint or BY_HAND, error_code=refusal.code)


def _told(columns: Mapping[str, Value]) -> str:
    names = sorted(name for name in columns if not name.endswith(".type"))
    return f"restored {', '.join(names)}" if names else "nothing else to restore"
