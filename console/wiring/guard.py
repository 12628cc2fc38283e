"""The guard of one process, put together: receiver, judge, ledger, obligations, watch, scan."""

from __future__ import annotations

from dataclasses import dataclass

from console.metrics import PrometheusMetrics
from console.wiring.connections import Connections
from console.wiring.organization import (
    OrganizationDiffers,
    agreed_organization,
    known_organization,
    remember_organization,
)
from guard.active_policies import ActivePolicies
from guard.consequences import EXAMINE, GRANT, REVERT
from guard.facts.activity import Activity
from guard.facts.actor import ActorFacts
from guard.facts.gather import Gatherer
from guard.facts.history import HistoryFacts
from guard.facts.owner import AddressOwnerFacts, OwnerFacts
from guard.facts.steward import StewardFacts
from guard.identity import OwnIdentity
from guard.intake import Intake
from guard.judge import Judge
from guard.ledger.port import Ledger, MemoryLedger
from guard.ledger.stored import StoredLedger
from guard.obligations.grant import Granter
from guard.obligations.revert import Reverter
from guard.ports.dataverse import DataverseRows
from guard.ports.directory import Directory, GraphDirectory, MemoryDirectory
from guard.ports.rows import MemoryRows, Myself, Rows
from guard.record import OBSERVE, DecisionRecorder
from guard.watch.drift import DriftWatch
from guard.watch.read_back import ReadBack
from guard.watch.reconcile import Reconciler
from guard.watch.scan import Scanner
from guard.webhook import Readiness, Webhook
from guard.webhook_keys import WebhookKeys
from kernel.clock import Clock
from kernel.database import Database
from kernel.log import get_logger
from kernel.settings import Settings
from kernel.workers import Handler, Workers

# Nobody waits for the watch: what it looks up may be repeated and take its time.
PATIENT_SECONDS = 60.0
log = get_logger("guard")


@dataclass(frozen=True, slots=True)
class GuardRoom:
    """What `serve` drives: the receiver, the obligations, and what is repeated."""

    settings: Settings
    database: Database
    webhook: Webhook
    workers: Workers
    ledger: Ledger
    own: OwnIdentity
    rows: Rows
    reconciler: Reconciler
    drift: DriftWatch
    scanner: Scanner

    async def introduce(self) -> None:
        """Learn organisation and own user from Dataverse, or see that they are still the same.

        Until this has succeeded nothing is granted, reverted, withdrawn or reconciled, nor from
        then on when it finds another organisation: then it raises OrganizationDiffers.
        """
        myself = await self.rows.myself()
        try:
            agreed = agreed_organization(
                self.settings, myself.organization_id, known=self.own.organization_id
            )
        except OrganizationDiffers:
            self.own.user_id = None
            raise
        if self.own.user_id is None:
            await remember_organization(self.database, agreed)
            log.info("organization_learnt", organization_id=agreed)
        self.own.organization_id, self.own.user_id = agreed, myself.user_id

    async def carry_out_obligations(self) -> None:
        """Carry out what is due, once it is known who we are."""
        if self.own.user_id is not None:
            await self.workers.run_due()

    async def watch_evidence(self) -> None:
        """Look at the evidence of approvals, once it is known who we are.

        The rows of another organisation would disprove every one of them.
        """
        if self.own.user_id is not None:
            await self.drift.run()

    async def make_checkpoint(self) -> None:
        """Let the ledger write down the heads of its chains."""
        if isinstance(self.ledger, StoredLedger):
            await self.ledger.make_checkpoint()


def open_guard(
    settings: Settings,
    database: Database,
    clock: Clock,
    *,
    policies: ActivePolicies,
    metrics: PrometheusMetrics,
    connections: Connections | None,
    readiness: Readiness,
) -> GuardRoom:
    """Return the guard of this process.

    Without connections nothing can be looked up: every fact is missing, so that the rules that
    need one err, and nothing is ever granted.
    """
    deadline = settings.decision_deadline_seconds
    rows, directory = _sides(connections)
    # Somebody waits for a decision: what it looks up goes first and gives up in time.
    rows_now, directory_now = _sides(connections, within=deadline)
    ledger: Ledger = (
        MemoryLedger(keep=False) if settings.unsafe_without_store else StoredLedger(database, clock)
    )
    own = OwnIdentity(organization_id=known_organization(settings, database))

    def judge_by(rows: Rows, directory: Directory, deadline: float) -> Judge:
        gatherer = Gatherer(
            ActorFacts(rows, directory, own, settings.delegated_approver_role_id.lower() or None),
            OwnerFacts(rows, directory, ledger.mirrored),
            AddressOwnerFacts(directory),
            HistoryFacts(ledger, clock),
            Activity(ledger, clock),
            StewardFacts(rows, directory, ledger.mirrored),
            deadline_seconds=deadline,
        )
        return Judge(policies, gatherer, ledger)

    judge = judge_by(rows_now, directory_now, deadline)
    decider = DecisionRecorder(ledger, clock, metrics, enforcement=settings.enforcement)
    late = ReadBack(rows_now, ledger, judge, decider, deadline_seconds=deadline)
    granter = Granter(database, rows, directory, judge, decider, own)
    handlers: dict[str, Handler] = {
        GRANT: granter.carry_out,
        REVERT: Reverter(database, rows, ledger, decider).carry_out,
        EXAMINE: late.carry_out,
    }
    webhook = Webhook(
        WebhookKeys([key.reveal() for key in settings.webhook_keys]),
        Intake(decider, judge, ledger, own, late),
        metrics,
        readiness=readiness,
        observes=settings.enforcement == OBSERVE,
    )
    return GuardRoom(
        settings=settings,
        database=database,
        webhook=webhook,
        workers=Workers(database, clock, handlers),
        ledger=ledger,
        own=own,
        rows=rows,
        reconciler=Reconciler(database, rows, ledger, judge, decider, metrics),
        drift=DriftWatch(
            database,
            rows,
            directory,
            judge_by(rows, directory, PATIENT_SECONDS),
            clock,
            metrics,
            round_seconds=settings.reconcile_seconds,
        ),
        scanner=Scanner(database, rows, directory, judge, decider, own),
    )


def _sides(
    connections: Connections | None, *, within: float | None = None
) -> tuple[Rows, Directory]:
    """Return Dataverse and the directory, urgent and with that deadline if one is given.

    What is not configured cannot be asked: then both say so to whoever asks.
    """
    if connections is None:
        directory = MemoryDirectory()
        directory.is_down, directory.down_because = True, "Graph is not configured."
        nobody = Myself("", "")
        rows = MemoryRows(nobody, is_down=True, down_because="Dataverse is not configured.")
        return rows, directory
    dataverse, graph = connections.dataverse, connections.graph
    if within is not None:
        dataverse, graph = dataverse.within(within), graph.within(within)
    return DataverseRows(dataverse), GraphDirectory(graph)
