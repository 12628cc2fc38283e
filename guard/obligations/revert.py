"""The obligation `revert`: a rejected change that was committed is undone, once, by our own user.

Written with If-Match under a nonce that was announced first (laws 5 and 7). Carried out twice, it
finds nothing left to restore.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from sqlalchemy import Connection, func, select

from guard.columns import APPROVAL, TABLES
from guard.ledger import mirror, own_writes
from guard.ledger.codec import values_from
from guard.ledger.entry import MirrorRow
from guard.ledger.mirror import is_equal
from guard.ledger.port import ALLOWED, Ledger
from guard.ledger.tables import mirror as mirror_table
from guard.obligations.restoration import Rejected, restoration
from guard.own_writes import TAG, announced
from guard.ports.rows import AddressElsewhere, RowChanged, Rows, StoredRow, WriteRefused
from guard.record import DecisionRecorder
from kernel.brake import LEAST, Release, brake
from kernel.database import Database
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

KIND = "revert"
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


def rejected_from(task: Task) -> Rejected:
    """Return the rejected change that a task of kind `revert` holds."""
    payload = task.payload
    return Rejected(
        table=payload["table"],
        record_id=payload["record_id"],
        operation=payload["operation"],
        is_hold=payload["outcome"] == Outcome.HOLD.value,
        before=values_from(payload["before"]),
        after=values_from(payload["after"]),
        altered=tuple(payload["altered"]),
    )


class Reverter:
    """Undoes rejected changes."""

    def __init__(
        self, database: Database, rows: Rows, ledger: Ledger, decider: DecisionRecorder
    ) -> None:
        self._database = database
        self._rows = rows
        self._ledger = ledger
        self._decider = decider

    async def carry_out(self, task: Task) -> TaskOutcome:
        """Handle a task of kind `revert`."""
        rejected = await self._believed(rejected_from(task))
        if task.released_at is None and await self._brake_is_pulled(rejected.table):
            return NeedsPerson(
                "more than 20 and 5 % of the rows would be reverted within a minute",
                f"Look at what was changed; `{REVERTS.release}` lets it be undone.",
                cause=TaskCause.BRAKE,
            )
        for _ in range(TRIES_ON_A_CHANGED_ROW):
            row = await self._rows.row(rejected.table, rejected.record_id)
            if row is None:
                return Done("the row is gone")
            columns = restoration(rejected, row.columns)
            if not columns:
                return Done("nothing to restore")
            try:
                return await self._restore(task, rejected, row, columns)
            except RowChanged:
                # Whoever changed it may have left the guarded columns alone: look again.
                continue
        return Again("the row keeps changing")

    async def _believed(self, rejected: Rejected) -> Rejected:
        """Return the rejected change with a `before` that may be written.

        Whoever holds the webhook key can say anything about what stood there before. Where the
        last known good copy says otherwise it holds, unless an allowed decision since explains it.
        """
        known = await self._ledger.mirrored(rejected.table, rejected.record_id)
        if known is None:
            return rejected
        since = await self._ledger.decisions_on(rejected.record_id, since=known.changed_at)
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
        since = self._decider.now() - (REVERTS.window or timedelta())

        def count(connection: Connection) -> bool:
            reverts = connection.scalar(
                select(func.count())
                .select_from(tasks)
                .where(tasks.c.kind == KIND, tasks.c.added_at >= since)
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

        return await self._database.read(count)

    async def _restore(
        self, task: Task, rejected: Rejected, row: StoredRow, columns: dict[str, Value]
    ) -> TaskOutcome:
        nonce = await self._announce(task, row, columns)
        try:
            await self._rows.update(
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
        for name in ("regardingobjectid.id", "ownerid.id"):
            other = row.columns.get(name)
            if isinstance(other, str):
                related.append(other)
        related += [one.record_id for one in await self._ledger.mailboxes_of(row.record_id)]
        now = self._decider.now()
        await self._database.write(
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
        address = columns.pop("emailaddress")
        owner = None
        for table in (kind,) if isinstance(kind, str) else ("systemuser", "queue"):
            owner = owner or await self._rows.row(str(table), owner_id)
        if owner is None:
            return NeedsPerson("the row that owns the address is gone", BY_HAND)
        own_address = TABLES[owner.table].address
        if is_equal(owner.columns.get(own_address), rejected.after.get("emailaddress")):
            there: dict[str, Value] = {own_address: address}
            if APPROVAL in columns:
                there[APPROVAL] = columns[APPROVAL]
            refused = await self._try(owner, there, nonce)
            if refused is not None:
                return refused
        fresh = await self._rows.row(rejected.table, rejected.record_id)
        if fresh is None:
            return Done("the row is gone")
        left = {
            name: value
            for name, value in restoration(rejected, fresh.columns).items()
            if name != "emailaddress"
        }
        if APPROVAL in columns and fresh.columns.get(APPROVAL) != columns[APPROVAL]:
            left[APPROVAL] = columns[APPROVAL]
        if left:
            refused = await self._try(fresh, left, nonce)
            if refused is not None:
                return refused
        await self._remember(rejected, {"emailaddress": address, **columns})
        return Done(f"restored the address on the {owner.table}; {_told(left)}")

    async def _try(
        self, row: StoredRow, columns: dict[str, Value], nonce: str
    ) -> NeedsPerson | None:
        try:
            await self._rows.update(row.table, row.record_id, columns, etag=row.etag, tag=nonce)
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
            row = await self._rows.row(rejected.table, rejected.record_id)
            if row is not None and restoration(rejected, row.columns):
                try:
                    await self._rows.update(
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
        now = self._decider.now()
        row = MirrorRow(rejected.table, rejected.record_id, columns, now)
        await self._database.write(lambda c: mirror.keep(c, row), failpoint=REVERTED)
        log.info("change_reverted", record_id=rejected.record_id, columns=sorted(columns))


def _refused(refusal: WriteRefused) -> NeedsPerson:
    return NeedsPerson(refusal.message, refusal.hint or BY_HAND, error_code=refusal.code)


def _told(columns: Mapping[str, Value]) -> str:
    names = sorted(name for name in columns if not name.endswith(".type"))
    return f"restored {', '.join(names)}" if names else "nothing else to restore"
