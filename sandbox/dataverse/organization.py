"""One organisation: its rows, its platform, its pipeline, held together."""

from __future__ import annotations

import ssl
from typing import Any
from uuid import uuid4

from kernel.clock import Clock
from sandbox.dataverse.approval import is_qualified, may_self_approve
from sandbox.dataverse.choices import APPROVED
from sandbox.dataverse.context import ZERO, Organization
from sandbox.dataverse.jobs import Jobs
from sandbox.dataverse.locks import Locks
from sandbox.dataverse.operation import Bypass, Caller, Operation
from sandbox.dataverse.pipeline import Pipeline, Precondition, owning_unit
from sandbox.dataverse.platform import ADDRESS_COLUMN, NativePlatform, Switches
from sandbox.dataverse.posts import Poster
from sandbox.dataverse.rows import Row, Store
from sandbox.dataverse.tables import TABLES
from sandbox.directory import Directory

WEBHOOK_TIMEOUT_SECONDS = 60.0
_LOCK_TIMEOUT_SECONDS = 120.0


class Dataverse:
    """The organisation as requests and tests reach it."""

    def __init__(
        self,
        directory: Directory,
        about: Organization,
        clock: Clock,
        *,
        trust: ssl.SSLContext,
        switches: Switches | None = None,
    ) -> None:
        self.directory, self.about, self.clock = directory, about, clock
        self.store = Store({table.logical: table.key for table in TABLES.values()})
        self.switches = switches or Switches()
        self.platform = NativePlatform(directory, switches=self.switches)
        self.platform.test_mailbox = self._test_mailbox
        self.poster = Poster(clock, trust=trust, timeout_seconds=WEBHOOK_TIMEOUT_SECONDS)
        self.jobs = Jobs(self.store, clock)
        self.pipeline = Pipeline(
            self.store,
            self.platform,
            self.poster,
            self.jobs,
            about,
            locks=Locks(timeout_seconds=_LOCK_TIMEOUT_SECONDS),
        )
        self.system_user_id = ZERO

    async def close(self) -> None:
        """Stop background work and close connections."""
        await self.jobs.stop()
        await self.poster.close()

    def insert(self, table: str, values: dict[str, Any]) -> Row:
        """Put a row in place without any event, as an installed organisation has it."""
        described, now = TABLES[table], self.clock.now().replace(microsecond=0)
        row = {name: column.default for name, column in described.columns.items()}
        row |= {"createdon": now, "modifiedon": now, described.key: str(uuid4())}
        if unknown := set(values) - set(described.columns):
            raise ValueError(f"The table {table} has no columns {sorted(unknown)}.")
        transaction = self.store.begin()
        row |= {**owning_unit(transaction, table, values), **values}
        kept = transaction.put(table, row)
        transaction.commit()
        return kept

    async def write(
        self,
        message: str,
        table: str,
        record_id: str,
        values: dict[str, Any],
        *,
        caller: Caller,
        bypass: Bypass | None = None,
        shared: dict[str, Any] | None = None,
        beneath: dict[str, Any] | None = None,
        precondition: Precondition | None = None,
        by_platform: bool = False,
    ) -> Operation:
        """Carry out one operation in a transaction of its own. Raises Fault."""
        operation = Operation(
            message=message,
            table=table,
            record_id=record_id,
            target=dict(values),
            caller=caller,
            transaction=self.store.begin(),
            started_at=self.clock.now(),
            beneath=beneath or {},
            bypass=bypass or Bypass(),
            shared=shared or {},
            by_platform=by_platform,
        )
        await self.pipeline.run(operation, precondition=precondition)
        return operation

    def system_caller(self) -> Caller:
        """Return the platform's own user."""
        return Caller(self.system_user_id, ZERO, self.system_user_id)

    async def _test_mailbox(self, mailbox_id: str, user_id: str) -> None:
        """Do what Test & Enable does: report success, and approve where the asker could."""
        row = self.store.get("mailbox", mailbox_id)
        if row is None:
            return
        owner = row["regardingobjectid"]
        approve = is_qualified(self.store, self.directory, user_id) or (
            owner is not None
            and owner.table == "systemuser"
            and may_self_approve(
                self.store,
                user_id,
                record_id=owner.id,
                address=row[ADDRESS_COLUMN["mailbox"]],
                needs_privilege=self.switches.privilege_to_self_approve,
            )
        )
        approved = row["emailrouteraccessapproval"] == APPROVED or approve
        outcome = 1 if approved else 2
        values: dict[str, Any] = {
            "testemailconfigurationscheduled": False,
            "testmailboxaccesscompletedon": self.clock.now().replace(microsecond=0),
            "incomingemailstatus": outcome,
            "outgoingemailstatus": outcome,
        }
        if approve and row["emailrouteraccessapproval"] != APPROVED:
            values["emailrouteraccessapproval"] = APPROVED
        await self.write(
            "Update", "mailbox", mailbox_id, values, caller=self.system_caller(), by_platform=True
        )
