"""The sync of one process, put together from settings: ports over Graph and Dataverse."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from uuid import UUID

from console.policy_folder import PolicyFolder
from console.wiring.connections import Connections, connect_guard, connect_mailboxes
from console.wiring.guard import look_back, open_evidence
from console.wiring.organization import (
    agreed_organization,
    known_organization,
    remember_organization,
)
from kernel.clock import Clock
from kernel.database import Database
from kernel.failpoints import failpoints_from
from kernel.settings import Settings
from sync.eligibility.dataverse import DataverseMailboxRows
from sync.eligibility.evidence import Evidence
from sync.engine.holder import new_holder
from sync.engine.workload import Clients
from sync.meter import Meter
from sync.registry import open_workloads
from sync.run.assembly import Assembly, assemble


@asynccontextmanager
async def sync_alone(
    settings: Settings,
    database: Database,
    clock: Clock,
    *,
    role: str,
    policies: PolicyFolder,
) -> AsyncIterator[Assembly]:
    """Yield the sync of a process that has no guard, and close its connections at the end.

    Raises what `open_sync` and `look_back` raise, and SettingInvalid for what is missing.
    """
    failpoints = failpoints_from(settings.failpoint)
    async with AsyncExitStack() as stack:
        guard = connect_guard(settings, clock, failpoints=failpoints)
        stack.push_async_callback(guard.aclose)
        mailboxes = connect_mailboxes(settings, clock, guard, failpoints=failpoints)
        if mailboxes is not guard:
            stack.push_async_callback(mailboxes.aclose)
        sync = await open_sync(
            settings,
            database,
            clock,
            role=role,
            policies=policies,
            evidence=open_evidence(
                settings, database, clock, policies=policies.holder, connections=guard
            ),
            guard=guard,
            mailboxes=mailboxes,
        )
        await look_back(settings, database, clock, connections=guard)
        yield sync


async def open_sync(
    settings: Settings,
    database: Database,
    clock: Clock,
    *,
    role: str,
    policies: PolicyFolder,
    evidence: Evidence,
    guard: Connections,
    mailboxes: Connections,
) -> Assembly:
    """Return the sync of this process, its organisation learnt and checked.

    `role` is `sync.engine.holder.LOOP` or `ONCE`: what the process holds its shards for. Mailboxes
    are read as `mailboxes`, all else as `guard`. `policies` gives the set that judges what they
    hold, `evidence` is where what approvals rest on is looked up again.

    Raises OrganizationDiffers, CloudError when Dataverse cannot be asked.
    """
    who = await guard.dataverse.who_am_i()
    organization = agreed_organization(
        settings, who.organization_id, known=known_organization(settings, database)
    )
    await remember_organization(database, organization)
    meter = Meter()
    clients = Clients(mailboxes.graph, guard.dataverse, UUID(organization), meter)
    return assemble(
        database,
        clock,
        workloads=open_workloads(clients),
        mailbox_rows=DataverseMailboxRows(guard.dataverse, meter),
        policies=lambda: policies.current,
        evidence=evidence,
        holder=new_holder(role),
        meter=meter,
        approval_max_age_seconds=settings.approval_max_age_seconds,
        evidence_max_age_seconds=settings.evidence_max_age_seconds,
    )
