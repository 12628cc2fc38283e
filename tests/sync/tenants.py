"""A sandbox over the wire with the sync of one process on it, over an empty database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from cloud.dataverse import Dataverse
from cloud.entra import ClientSecret, MsalApp
from cloud.graph import Graph
from cloud.origins import dataverse_service, graph_service
from cloud.tokens import MsalTokens
from cloud.transport import Transport
from kernel import approvals
from kernel.clock import SystemClock
from kernel.database import Database
from sandbox import people
from sandbox.server import Sandbox
from sync.eligibility.dataverse import DataverseMailboxRows
from sync.eligibility.evidence import MemoryEvidence
from sync.engine.holder import new_holder
from sync.engine.workload import Clients
from sync.meter import Meter
from sync.operate.mailboxes import list_mailboxes
from sync.registry import open_workloads
from sync.run.assembly import Assembly, assemble
from tests.sync.builders import TEST


@dataclass
class Tenant:
    sandbox: Sandbox
    database: Database
    sync: Assembly

    def approve(self, person: people.Sample) -> None:
        self.database.write_now(
            lambda c: approvals.grant(
                c,
                record_id=person.mailbox_id,
                address=person.address,
                object_id=person.object_id,
                owner_id=person.user_id,
                owner_type="systemuser",
                evidence={},
                now=self.sync.clock.now(),
            ),
            failpoint=TEST,
        )

    def emails(self) -> list[dict[str, Any]]:
        return [dict(row) for row in self.sandbox.rows("email")]

    def states(self) -> dict[str, str]:
        """What `mailboxes list` says of each mailbox, by address."""
        now = self.sync.clock.now()
        shown = self.database.read_now(lambda c: list_mailboxes(c, now=now))
        return {one["address"]: one["state"] for one in shown}

    def mailbox_requests(self, person: people.Sample) -> list[str]:
        return [
            entry.path
            for entry in self.sandbox.access_log()
            if entry.origin == "graph" and f"users/{person.object_id}/" in entry.path
        ]


@asynccontextmanager
async def open_tenant(folder: Path) -> AsyncIterator[Tenant]:
    """Open a sandbox, and the sync of it over a database in that folder."""
    clock = SystemClock()
    database = Database(f"sqlite:///{folder / 'guard.db'}")
    database.create_tables()
    database.open()
    async with Sandbox() as sandbox:
        graph = graph_service(sandbox.graph_url)
        dataverse = dataverse_service(sandbox.dataverse_url)
        identity = sandbox.sync_identity
        bundle = str(sandbox.ca_bundle_file)
        app = MsalApp(
            authority=sandbox.authority_url,
            client_id=identity.client_id,
            credential=ClientSecret(identity.secret),
            ca_bundle_file=bundle,
        )
        tokens = MsalTokens(app, clock=clock)
        transport = Transport([graph, dataverse], tokens, clock=clock, ca_bundle_file=bundle)
        rows = Dataverse(transport, dataverse)
        meter = Meter()
        organization = UUID((await rows.who_am_i()).organization_id)
        clients = Clients(Graph(transport, graph), rows, organization, meter)
        sync = assemble(
            database,
            clock,
            workloads=open_workloads(clients),
            mailbox_rows=DataverseMailboxRows(rows, meter),
            holder=new_holder(),
            meter=meter,
            evidence=MemoryEvidence(database, clock),
        )
        yield Tenant(sandbox, database, sync)
        await transport.aclose()
        await tokens.aclose()
    database.close()
