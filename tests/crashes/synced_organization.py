"""One organisation, its Exchange mailboxes, and the processes that sync them over the wire."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select

from console.wiring.connections import connect_guard, connect_sync
from kernel import approvals, tasks
from kernel.approvals import Renewal
from kernel.clock import FrozenClock
from kernel.database import Database
from kernel.failpoints import Crash, failpoint
from kernel.settings import load
from kernel.shards import LEASE_SECONDS
from kernel.tasks import OPEN_STATES, TaskState
from sandbox import people
from sandbox.server import Sandbox
from sync.eligibility.dataverse import DataverseMailboxRows
from sync.eligibility.evidence import MemoryEvidence
from sync.engine.holder import new_holder
from sync.mail.emails.dataverse import DataverseEmailRows
from sync.mail.exchange.graph import GraphExchange
from sync.mail.workload import MailWorkload
from sync.meter import Meter
from sync.run.assembly import assemble
from sync.store.tables import links, payloads, quarantine
from tests.conftest import NOON
from tests.crashes.beginning import Beginning, Later

LEADING_UP = failpoint("tests.leading-up", "Something that the crash tests take for given.")
TABLES = ("mailbox", "email", "activityparty", "activitymimeattachment")


class SyncProcess:
    """What `sync run` puts together, over real connections."""

    def __init__(self, database_url: str, sandbox: Sandbox, clock: FrozenClock) -> None:
        self.points = Later()
        self.database = Database(database_url, failpoints=self.points)
        self.database.create_tables()
        self.database.open()
        settings = load(sandbox.settings() | {"MAILBOX_GUARD_DATABASE_URL": database_url}, None)
        guard = connect_guard(settings, clock, failpoints=self.points)
        mailboxes = connect_sync(settings, clock, failpoints=self.points)
        self._connections = (guard, mailboxes)
        meter = Meter()
        mail = MailWorkload(
            GraphExchange(mailboxes.graph, page_size=20),
            DataverseEmailRows(guard.dataverse, meter),
            UUID(people.ORGANIZATION_ID),
        )
        self.sync = assemble(
            self.database,
            clock,
            workloads=[mail],
            mailbox_rows=DataverseMailboxRows(guard.dataverse, meter),
            holder=new_holder(),
            meter=meter,
            evidence=MemoryEvidence(self.database, clock),
        )

    async def end(self) -> None:
        """Drop everything. After a crash no point lets anything more through."""
        for task in asyncio.all_tasks():
            # What a loop has under way dies with its process.
            if task.get_name().startswith("visit "):
                task.cancel()
        self.database.close()
        for one in self._connections:
            await one.aclose()


class SyncedOrganization:
    """The organisation and the process of the moment."""

    def __init__(self, sandbox: Sandbox, clock: FrozenClock) -> None:
        self.sandbox = sandbox
        self.clock = clock
        self.process: SyncProcess | None = None
        self._url = ""
        self._beginning = Beginning(sandbox, TABLES)

    @property
    def running(self) -> SyncProcess:
        """The process of the moment."""
        assert self.process is not None
        return self.process

    def begin(self, database_url: str) -> None:
        """Put the organisation back and start over on an empty database."""
        self._beginning.restore()
        self._url = database_url
        self.process = self.another()

    def another(self) -> SyncProcess:
        """Return one more process over the same database."""
        return SyncProcess(self._url, self.sandbox, self.clock)

    async def restart(self) -> None:
        """End the process of the moment and start its successor, once its leases have run out."""
        await self.running.end()
        self.clock.advance(LEASE_SECONDS + 1)
        self.process = self.another()

    async def stop(self) -> None:
        """End the process of the moment, dead or alive."""
        process, self.process = self.process, None
        if process is not None:
            await process.end()

    def approve(self, person: people.Sample) -> None:
        """Hold a person's mailbox approved, here and in Dataverse, newer than any withdrawal."""
        self.set_row(person, emailrouteraccessapproval=1)
        renewal = Renewal("an approver", self.clock.now() + timedelta(seconds=1))
        self.running.database.write_now(
            lambda c: approvals.grant(
                c,
                record_id=person.mailbox_id,
                address=person.address,
                object_id=person.object_id,
                owner_id=person.user_id,
                owner_type="systemuser",
                evidence={},
                # Newer than any withdrawal until now.
                now=self.clock.now(),
                renewal=renewal,
            ),
            failpoint=LEADING_UP,
        )

    def withdraw(self, person: people.Sample) -> None:
        """Withdraw a person's mailbox."""
        self.running.database.write_now(
            lambda c: approvals.withdraw_by_person(
                c,
                record_id=person.mailbox_id,
                by="Ben",
                reason="Withdrawn.",
                now=self.clock.now(),
            ),
            failpoint=LEADING_UP,
        )

    def set_row(self, person: people.Sample, **values: Any) -> None:
        """Change a person's mailbox row in Dataverse."""
        row = self.sandbox.row("mailbox", person.mailbox_id)
        assert row is not None
        self.sandbox.dataverse.insert("mailbox", {**row, **values})

    def end_state(self) -> dict[str, Any]:
        """Return what a run ended in, without times."""
        read = self.running.database.read_now
        emails = self.sandbox.rows("email")
        subject_of = {row["activityid"]: row["subject"] for row in emails}
        return {
            "emails": sorted(
                (
                    str(row["messageid"]),
                    str(row["subject"]),
                    row["statecode"],
                    row["statuscode"],
                    row["directioncode"],
                    row["attachmentcount"],
                )
                for row in emails
            ),
            "attachments": sorted(
                (str(subject_of[row["objectid"].id]), str(row["filename"]), str(row["body"]))
                for row in self.sandbox.rows("activitymimeattachment")
            ),
            "parties": len(self.sandbox.rows("activityparty")),
            "links": sorted(
                (row.item_id, row.state, row.place, row.row_id)
                for row in read(lambda c: c.execute(select(links)).all())
            ),
            "approvals": {
                one.record_id: (one.state, one.epoch, one.reason)
                for one in read(approvals.list_all)
            },
            "left": [
                *read(lambda c: c.execute(select(payloads.c.item_id)).all()),
                *read(lambda c: c.execute(select(quarantine.c.item_id)).all()),
                *read(lambda c: tasks.list_states(c, states=(*OPEN_STATES, TaskState.FAILED))),
            ],
        }


def _report(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    if not isinstance(context.get("exception"), Crash):
        loop.default_exception_handler(context)


@asynccontextmanager
async def open_synced_organization() -> AsyncIterator[SyncedOrganization]:
    """Yield an organisation whose times stand still at noon."""
    clock = FrozenClock(NOON)
    asyncio.get_running_loop().set_exception_handler(_report)
    async with Sandbox(clock=clock) as sandbox:
        synced = SyncedOrganization(sandbox, clock)
        yield synced
        await synced.stop()
