"""The sync of one process, put together from settings: ports over Graph and Dataverse."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from console.metrics import Metrics
from console.wiring.connections import Connections, connect_guard, connect_sync
from console.wiring.organization import agreed_organization
from kernel.clock import Clock
from kernel.database import Database
from kernel.failpoints import failpoints_from
from kernel.settings import Settings
from sync.crm.dataverse import DataverseCrm
from sync.exchange.graph import GraphExchange
from sync.holder import new_holder
from sync.mail_sync import MailSync, Ports
from sync.meter import Meter


@dataclass(frozen=True, slots=True)
class SyncRoom:
    """The sync and the connections it opened; close them when the process ends."""

    sync: MailSync
    connections: tuple[Connections, ...]

    async def aclose(self) -> None:
        """Close every connection."""
        for one in self.connections:
            await one.aclose()


async def open_sync(
    settings: Settings,
    database: Database,
    clock: Clock,
    *,
    role: str,
    metrics: Metrics | None = None,
    guard: Connections | None = None,
) -> SyncRoom:
    """Return the sync of this process, its organisation learnt and checked.

    `role` is `sync.holder.LOOP` or `ONCE`: what the process holds its shards for. `guard` are the
    guard's own connections where it lives in this process: what both ask shares one budget.

    Raises SettingInvalid for what is missing, OrganizationDiffers, CloudError when Dataverse
    cannot be asked.
    """
    on_access = metrics.count_access if metrics else None
    failpoints = failpoints_from(settings.failpoint)
    opened: tuple[Connections, ...] = ()
    if guard is None:
        guard = connect_guard(settings, clock, on_access=on_access, failpoints=failpoints)
        opened = (guard,)
    try:
        mailboxes = guard
        if settings.sync_client_id:
            mailboxes = connect_sync(settings, clock, on_access=on_access, failpoints=failpoints)
            opened = (*opened, mailboxes)
        who = await guard.dataverse.who_am_i()
        organization = agreed_organization(settings, who.organization_id)
    except BaseException:
        for one in opened:
            await one.aclose()
        raise
    meter = Meter()
    sync = MailSync(
        database,
        clock,
        ports=Ports(GraphExchange(mailboxes.graph), DataverseCrm(guard.dataverse, meter)),
        organization=UUID(organization),
        holder=new_holder(role),
        meter=meter,
        approval_max_age_seconds=settings.approval_max_age_seconds,
    )
    return SyncRoom(sync, opened)
