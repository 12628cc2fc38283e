"""The guard of one process over its live ports, and how it learns whose organisation it is in."""

from __future__ import annotations

from dataclasses import dataclass, replace

from console.metrics import PrometheusMetrics
from console.tracing import Tracing
from console.wiring.connections import Connections
from console.wiring.organization import (
    OrganizationDiffers,
    agreed_organization,
    known_organization,
    remember_organization,
)
from guard.active_policies import ActivePolicies
from guard.assembly import (
    Guard,
    Sources,
    Values,
    assemble_drift,
    assemble_guard,
    assemble_receiver,
)
from guard.facts.asking import AskedDirectory, AskedRows, Asking
from guard.holds.expiring import expire
from guard.identity import OwnIdentity
from guard.ledger.port import Ledger, MemoryLedger
from guard.ledger.stored import StoredLedger
from guard.notices.text import Places
from guard.ports.dataverse import DataverseRows
from guard.ports.dataverse_notices import DataverseNotifier
from guard.ports.dataverse_registry import DataverseRegistry
from guard.ports.directory import GraphDirectory, MemoryDirectory
from guard.ports.mail_notices import MailNotifier
from guard.ports.metrics import CountingMetrics
from guard.ports.notifier import MemoryNotifier, NoticesAbsent, Notifier
from guard.ports.rows import MemoryRows, Myself, Rows
from guard.watch.drift import DriftWatch
from guard.watch.forgotten import ForgottenWrites
from guard.watch.tampering import TamperWatch
from guard.webhook import Readiness, Webhook
from kernel.clock import Clock
from kernel.database import Database
from kernel.log import get_logger
from kernel.settings import Settings

log = get_logger("guard")


@dataclass(frozen=True, slots=True)
class LiveGuard:
    """What `serve` drives: a guard, once it is known whose organisation it guards.

    `tampering` is None where Dataverse is not configured, `stored` where nothing is recorded.
    """

    settings: Settings
    database: Database
    rows: Rows
    parts: Guard
    clock: Clock
    tampering: TamperWatch | None = None
    stored: StoredLedger | None = None

    @property
    def webhook(self) -> Webhook:
        """Return what answers deliveries."""
        return self.parts.receiver.webhook

    @property
    def identity(self) -> OwnIdentity:
        """Return who the guard is, as far as that is known."""
        return self.parts.receiver.identity

    async def introduce(self) -> None:
        """Learn organisation and own user from Dataverse, or see that they are still the same.

        Until this has succeeded nothing is granted, reverted, withdrawn or reconciled, nor from
        then on when it finds another organisation: then it raises OrganizationDiffers.
        """
        myself = await self.rows.myself()
        try:
            agreed = agreed_organization(
                self.settings, myself.organization_id, known=self.identity.organization_id
            )
        except OrganizationDiffers:
            self.identity.user_id = None
            raise
        if self.identity.user_id is None:
            await remember_organization(self.database, agreed)
            log.info("organization_learnt", organization_id=agreed)
        self.identity.organization_id, self.identity.user_id = agreed, myself.user_id

    async def carry_out_obligations(self) -> None:
        """Carry out what deliveries caused and is due, once it is known who we are."""
        if self.identity.user_id is not None:
            await self.parts.told_reader.read()
            await self.parts.workers.run_due()

    async def carry_out_what_was_seen(self) -> None:
        """Carry out what is owed for what we saw ourselves, however much deliveries caused."""
        if self.identity.user_id is not None:
            await self.parts.seen_workers.run_due()

    async def tell_people(self) -> None:
        """Tell people why their changes were refused, once it is known who we are."""
        if self.identity.user_id is not None:
            for workers in self.parts.notice_workers:
                await workers.run_due()

    async def watch_evidence(self) -> None:
        """Look at the evidence of approvals, once it is known who we are.

        The rows of another organisation would disprove every one of them.
        """
        if self.identity.user_id is not None:
            await self.parts.drift.run()

    async def watch_registration(self) -> None:
        """Look at what is registered in Dataverse, once it is known whose organisation it is."""
        if self.tampering is not None and self.identity.user_id is not None:
            await self.tampering.run()

    async def reconcile(self) -> None:
        """Compare every guarded row with its copy; first of all with what we wrote ourselves."""
        await self.parts.forgotten.look()
        await self.parts.reconciler.run()

    async def expire_holds(self) -> None:
        """Note which holds have run out."""
        await expire(self.database, self.clock)

    async def make_checkpoint(self) -> None:
        """Let the ledger write down the heads of its chains."""
        if self.stored is not None:
            await self.stored.make_checkpoint()


def open_guard(
    settings: Settings,
    database: Database,
    clock: Clock,
    *,
    policies: ActivePolicies,
    metrics: PrometheusMetrics,
    connections: Connections | None,
    readiness: Readiness,
    tracing: Tracing | None = None,
) -> LiveGuard:
    """Return the guard of this process; what it does is traced where that is given.

    Without connections nothing can be looked up: every fact is missing, so that the rules that
    need one err, and nothing is ever granted.
    """
    deadline = settings.decision_deadline_seconds
    values = values_of(settings)
    stored = (
        None
        if settings.unsafe_without_store
        else StoredLedger(database, clock, on_written=metrics.ledger_written)
    )
    ledger: Ledger = MemoryLedger(keep=False) if stored is None else stored
    if tracing is not None:
        ledger = tracing.ledger(ledger)
    own = (settings.client_id, settings.sync_client_id, settings.managed_identity)
    identity = OwnIdentity(
        organization_id=known_organization(settings, database),
        client_ids=frozenset(one.lower() for one in own if one),
    )
    # Somebody waits for a decision: what it looks up goes first and gives up in time, is joined
    # and remembered for moments, and is shared out among those who ask.
    asking = Asking(clock)
    sources = _sources(connections, within=deadline)
    urgent = Sources(AskedRows(sources.rows, asking), AskedDirectory(sources.directory, asking))
    receiver = assemble_receiver(
        urgent, ledger, policies, identity, clock, metrics, values, readiness=readiness
    )
    apart = _sources(connections, is_apart=True)
    tampering = None
    if connections is not None:
        registry = DataverseRegistry(connections.dataverse.apart())
        tampering = TamperWatch(registry, database, policies, identity, clock, metrics)
    return LiveGuard(
        tampering=tampering,
        stored=stored,
        settings=settings,
        database=database,
        rows=apart.rows,
        clock=clock,
        parts=assemble_guard(
            receiver,
            apart,
            database,
            policies,
            clock,
            metrics,
            values,
            common=_telling(_sources(connections), connections, settings),
            around=dict if tracing is None else tracing.handlers,
        ),
    )


def open_evidence(
    settings: Settings,
    database: Database,
    clock: Clock,
    *,
    policies: ActivePolicies,
    connections: Connections,
) -> DriftWatch:
    """Return what looks up evidence in a process that has no guard."""
    return assemble_drift(
        _sources(connections),
        StoredLedger(database, clock),
        policies,
        OwnIdentity(organization_id=known_organization(settings, database)),
        clock,
        database,
        CountingMetrics(),
        values_of(settings),
    )


async def look_back(
    settings: Settings, database: Database, clock: Clock, *, connections: Connections
) -> None:
    """Let all approvals rest if Dataverse shows own writes that the database has forgotten.

    For a process that has no guard, before it reaches a mailbox. Raises a GuardError when Dataverse
    can't be read.
    """
    rows = _sources(connections, is_apart=True).rows
    myself = await rows.myself()
    identity = OwnIdentity(known_organization(settings, database), myself.user_id)
    ledger = StoredLedger(database, clock)
    forgotten = ForgottenWrites(database, rows, ledger, identity, clock, CountingMetrics())
    await forgotten.look()


def values_of(settings: Settings) -> Values:
    """Return what the settings say about a guard."""
    return Values(
        webhook_keys=[key.reveal() for key in settings.webhook_keys],
        enforcement=settings.enforcement,
        deadline_seconds=settings.decision_deadline_seconds,
        reconcile_seconds=settings.reconcile_seconds,
        evidence_max_age_seconds=settings.evidence_max_age_seconds,
        delegated_role_id=settings.delegated_approver_role_id.lower() or None,
        # Without a Dataverse there is nobody to tell.
        notifies=settings.notifications and bool(settings.dataverse_url),
        tells_team=bool(settings.team_webhook_url and settings.dataverse_url),
        mails=bool(settings.mail_sender and settings.dataverse_url),
        places=Places(settings.console_url or None, settings.help_contact or None),
        hold_hours=settings.hold_hours,
    )


def _telling(sources: Sources, connections: Connections | None, settings: Settings) -> Sources:
    """Return the same with who tells people over the channels that are configured.

    What was owed while one was configured finds none afterwards.
    """
    if connections is None:
        return sources
    nobody = MemoryNotifier(refuses=NoticesAbsent("The channel is switched off."))
    team: Notifier = connections.team or nobody
    mail: Notifier = nobody
    if settings.mail_sender:
        mail = MailNotifier(
            connections.graph,
            sources.rows,
            sources.directory,
            sources.notifier,
            sender_id=settings.mail_sender.strip("{}").lower(),
            dataverse_url=settings.dataverse_url,
        )
    return replace(sources, team=team, mail=mail)


def _sources(
    connections: Connections | None, *, within: float | None = None, is_apart: bool = False
) -> Sources:
    """Return Dataverse and the directory, urgent and with that deadline if one is given.

    Apart, they have a share of the budget that nothing else can take: it is for what the guard does
    by itself, and nothing that a delivery can cause is asked of it.

    What is not configured cannot be asked: then both say so to whoever asks.
    """
    if connections is None:
        directory = MemoryDirectory()
        directory.is_down, directory.down_because = True, "Graph is not configured."
        nobody = Myself("", "")
        rows = MemoryRows(nobody, is_down=True, down_because="Dataverse is not configured.")
        return Sources(rows, directory)
    dataverse, graph = connections.dataverse, connections.graph
    if within is not None:
        dataverse, graph = dataverse.within(within), graph.within(within)
    if is_apart:
        dataverse, graph = dataverse.apart(), graph.apart()
    return Sources(
        DataverseRows(dataverse),
        GraphDirectory(graph),
        DataverseNotifier(dataverse),
    )
