"""The live parts of `serve`, started and stopped in their order."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from cloud.access import LoggedRequest
from console.anchor_notes import AnchorNotes
from console.anchoring import ANCHOR_SECONDS, Anchoring
from console.api.surface import PREFIX
from console.application import Application, Front, Joined, application
from console.gauges import GaugeReader, Gauges
from console.metrics import PrometheusMetrics
from console.policy_folder import PolicyFolder
from console.sign_in.link import OneTimeLink
from console.tracing import open_tracing
from console.web.kept import Kept
from console.web.parts import Parts
from console.web.site import Site
from console.web.table import PAGES
from console.wiring.api import open_api
from console.wiring.connections import (
    Connections,
    connect_guard,
    connect_mailboxes,
    is_configured,
)
from console.wiring.credentials import LOOK_SECONDS as CREDENTIALS_SECONDS
from console.wiring.credentials import CredentialWatch
from console.wiring.guard import open_guard
from console.wiring.organization import OrganizationDiffers
from console.wiring.reach import Identity, Reach
from console.wiring.readiness import SCHEMA_SECONDS, Readiness
from console.wiring.retention import RETENTION_SECONDS, Retention
from console.wiring.sign_in import open_authentication
from console.wiring.sync import open_sync
from kernel.clock import Clock
from kernel.database import CLOSING_SECONDS, Database
from kernel.duties import Duties
from kernel.errors import GuardError
from kernel.failpoints import failpoints_from
from kernel.ids import new_id
from kernel.log import get_logger
from kernel.periodic import AsyncioRunner
from kernel.settings import Settings
from sync.engine.holder import LOOP
from sync.run.loop import Loop

POLICIES_SECONDS = 1.0
OBLIGATIONS_SECONDS = 0.5
NOTICES_SECONDS = 2.0
CHECKPOINT_SECONDS = 60.0
HOLDS_SECONDS = 60.0
INTRODUCTION_SECONDS = 10.0

log = get_logger("serve")


class Live:
    """Everything that runs in a serving process."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        clock: Clock,
        policies: PolicyFolder,
        *,
        syncs: bool,
    ) -> None:
        self._settings = settings
        self._database = database
        self._clock = clock
        self._policies = policies
        self._anchoring = Anchoring(settings, database, clock)
        self._retention = Retention(settings, database, clock)
        self._duties = Duties(database, clock, holder=new_id(clock.now()))
        self._metrics = PrometheusMetrics()
        self._tracing = open_tracing(settings.tracing_endpoint)
        self._credentials = CredentialWatch(
            settings, clock, self._metrics.show_credential_ends, syncs=syncs
        )
        self._readiness = Readiness(database, clock)
        # Whoever looks for problems must not be stopped by the one that is found.
        self._watch = AsyncioRunner(clock)
        self._runner = AsyncioRunner(clock, may_call=self._readiness.is_ready)
        self._loop: Loop | None = None
        self._connections: Connections | None = None
        self._mailboxes: Connections | None = None
        if is_configured(settings):
            on_access = self._noted
            failpoints = failpoints_from(settings.failpoint)
            self._connections = connect_guard(
                settings, clock, on_access=on_access, failpoints=failpoints
            )
            if syncs:
                self._mailboxes = connect_mailboxes(
                    settings, clock, self._connections, on_access=on_access, failpoints=failpoints
                )
            self._readiness.reach = _reach_of(self._connections, self._mailboxes)
            if settings.anchor_dataverse_seconds is not None:
                self._anchoring.notes = AnchorNotes(
                    self._connections.dataverse.apart(),
                    clock,
                    every_seconds=settings.anchor_dataverse_seconds,
                )
        self._guard = open_guard(
            settings,
            database,
            clock,
            policies=policies.holder,
            metrics=self._metrics,
            connections=self._connections,
            readiness=lambda: self._readiness.problem,
            tracing=self._tracing,
        )
        webhook: Application = self._guard.webhook
        if self._tracing is not None:
            webhook = self._tracing.around(webhook)
        gauges = GaugeReader(database, clock, count_refused=self._count_refused).read
        self._authentication = open_authentication(settings, database, clock)
        served_api = open_api(
            settings,
            database,
            clock,
            policies=policies,
            readiness=Joined(self._state),
            knows=self._authentication,
            anchor=self._anchoring.look_and_append,
            means=self._guard.parts.means,
        )
        self.application: Front = application(
            webhook,
            readiness=self._state,
            metrics=self._metrics,
            gauges=gauges,
            mounts=[(PREFIX, served_api), ("", self._pages(gauges))],
        )

    @property
    def link(self) -> OneTimeLink | None:
        """Return what lets somebody in at this machine; None where people sign in with Entra."""
        return self._authentication.link

    def _pages(self, gauges: Callable[[], Awaitable[Gauges]]) -> Application:
        parts = Parts(
            settings=self._settings,
            database=self._database,
            clock=self._clock,
            policies=lambda: self._policies.current,
            state=Joined(self._state),
            gauges=Joined(gauges),
            anchor=self._anchoring.look_and_append,
            kept=Kept(self._clock),
            figures=self._metrics.figures,
            means=self._guard.parts.means,
        )
        return Site(parts, self._authentication, PAGES).app()

    async def start(self) -> None:
        """Begin what is repeated. What Dataverse must answer first is tried until it does."""
        self._show_policies()
        if self._database.dialect == "sqlite":
            # The lock of `serve` is ours alone: whoever held claims of the guard is dead.
            await self._guard.parts.workers.release_claims()
        self._watch.every(POLICIES_SECONDS, self._refresh_policies, name="policy folder")
        await self._credentials.look()
        self._watch.every(CREDENTIALS_SECONDS, self._credentials.look, name="credentials")
        self._watch.every(SCHEMA_SECONDS, self._readiness.look_at_schema, name="schema")
        self._runner.every(
            OBLIGATIONS_SECONDS, self._guard.carry_out_obligations, name="obligations"
        )
        self._runner.every(
            OBLIGATIONS_SECONDS, self._guard.carry_out_what_was_seen, name="what was seen"
        )
        self._runner.every(NOTICES_SECONDS, self._guard.tell_people, name="notices")
        # First of all: what follows may reach mailboxes.
        await self._anchoring.look()
        self._runner.every(HOLDS_SECONDS, self._guard.expire_holds, name="holds")
        self._runner.every(CHECKPOINT_SECONDS, self._guard.make_checkpoint, name="checkpoint")
        self._runner.every(ANCHOR_SECONDS, self._anchoring.look_and_append, name="anchor")
        if self._retention.is_asked_for:
            self._runner.every(RETENTION_SECONDS, self._retain, name="retention")
        if self._connections is not None:
            round_seconds = self._settings.reconcile_seconds
            self._watch.every(
                min(INTRODUCTION_SECONDS, round_seconds), self._introduce, name="introduction"
            )
            self._runner.every(round_seconds, self._reconcile, name="reconciliation")
            self._runner.every(round_seconds, self._watch_evidence, name="drift")
            self._runner.every(round_seconds, self._watch_registration, name="registration")

    async def stop(self) -> None:
        """End what is repeated, let obligations under way end, close the connections.

        What cannot be written any more, because the database is gone, is logged; all else ends.
        """
        self._readiness.ending = "The guard is stopping."
        await asyncio.gather(self._watch.stop(), self._runner.stop())
        if self._loop is not None:
            await self._loop.stop()
        try:
            async with asyncio.timeout(CLOSING_SECONDS):
                await self._guard.make_checkpoint()
                await self._anchoring.look_and_append()
                await self._duties.give_back()
        except (GuardError, TimeoutError) as error:
            log.error("checkpoint_not_made", error=str(error) or "The database does not answer.")
        self._anchoring.close()
        if self._tracing is not None:
            await asyncio.to_thread(self._tracing.close)
        self._authentication.close()
        if self._mailboxes is not None and self._mailboxes is not self._connections:
            await self._mailboxes.aclose()
        if self._connections is not None:
            await self._connections.aclose()

    def reload_on_hangup(self) -> None:
        """Read the policy folder again on SIGHUP."""
        loop = asyncio.get_running_loop()
        reloads: set[asyncio.Task[Any]] = set()

        def reload() -> None:
            task = loop.create_task(self._policies.reload())
            reloads.add(task)
            task.add_done_callback(reloads.discard)

        loop.add_signal_handler(signal.SIGHUP, reload)

    async def _refresh_policies(self) -> None:
        await self._policies.refresh()
        self._show_policies()

    def _show_policies(self) -> None:
        self._metrics.show_policy_set(
            loaded_at=self._policies.loaded_at.timestamp(), is_refused=bool(self._policies.refused)
        )

    def _noted(self, access: LoggedRequest) -> None:
        """Count a request, and learn from its answer whether our credentials are taken."""
        self._metrics.count_access(access)
        if self._tracing is not None:
            self._tracing.note(access)
        if self._readiness.reach is not None:
            self._readiness.reach.note(access)

    async def _introduce(self) -> None:
        """Learn who we are, unless that is known; then, once, begin to sync."""
        if self._readiness.reach is not None:
            await self._readiness.reach.look()
        if self._guard.identity.user_id is None:
            await self._meet()
        if self._guard.identity.user_id is not None and self._loop is None:
            await self._begin_to_sync()

    async def _meet(self) -> bool:
        """Ask Dataverse which organisation it is; return whether it answered and is the right one.

        While it is another one nothing is decided, and nothing of ours is done there.
        """
        try:
            await self._guard.introduce()
        except OrganizationDiffers as error:
            self._readiness.other_organization = error.message
            log.error("organization_differs", error=error.message, hint=error.hint)
            return False
        except GuardError as error:
            log.warning("dataverse_not_reached", error_code=error.code, error=error.message)
            return False
        self._readiness.other_organization = None
        return True

    async def _begin_to_sync(self) -> None:
        if self._connections is None or self._mailboxes is None:
            return
        try:
            # What follows reaches mailboxes.
            await self._guard.parts.forgotten.look()
            sync = await open_sync(
                self._settings,
                self._database,
                self._clock,
                role=LOOP,
                policies=self._policies,
                evidence=self._guard.parts.drift,
                guard=self._connections,
                mailboxes=self._mailboxes,
            )
        except GuardError as error:
            log.warning("sync_not_begun", error_code=error.code, error=error.message)
            return
        self._loop = Loop(sync)
        self._loop.start(self._runner)

    async def _reconcile(self) -> None:
        if not await self._meet() or not await self._has("reconciliation"):
            return
        try:
            await self._guard.reconcile()
        except GuardError as error:
            log.warning("reconciliation_failed", error_code=error.code, error=error.message)

    async def _watch_registration(self) -> None:
        try:
            await self._guard.watch_registration()
        except GuardError as error:
            log.warning("registration_not_read", error_code=error.code, error=error.message)

    async def _watch_evidence(self) -> None:
        # What it sees twice before it acts it must see itself, so one process keeps at it.
        if await self._has("drift"):
            await self._guard.watch_evidence()

    async def _retain(self) -> None:
        if await self._duties.has("retention", every_seconds=RETENTION_SECONDS):
            await self._retention.look()

    async def _has(self, duty: str) -> bool:
        """Return whether a duty of each round is this process's now; several share a database."""
        return await self._duties.has(duty, every_seconds=self._settings.reconcile_seconds)

    def _count_refused(self) -> int:
        reach = self._readiness.reach
        return 0 if reach is None else reach.refused

    async def _state(self) -> dict[str, Any]:
        standing = await self._readiness.look()
        lacking = (*self._anchoring.lacking, *self._credentials.warnings)
        if lacking:
            standing = replace(standing, degraded=(*standing.degraded, *lacking))
        refused = self._policies.refused
        tampering = self._guard.tampering
        if tampering is not None and tampering.unread is not None:
            standing = replace(standing, degraded=(*standing.degraded, tampering.unread))
        if refused:
            newer = "A newer policy folder is refused, so that older policies decide."
            standing = replace(standing, degraded=(*standing.degraded, newer))
        return {
            "ready": standing.problem is None,
            "status": standing.status.value,
            "problem": standing.problem,
            "degraded": list(standing.degraded),
            "brakes": list(standing.brakes),
            "enforcement": self._settings.enforcement,
            "organization_id": self._guard.identity.organization_id,
            "syncs": self._loop is not None,
            "policy_set": {
                "digest": self._policies.current.digest,
                "loaded_at": self._policies.loaded_at.isoformat(),
                "policies": len(self._policies.current.policies),
                "refused": refused,
            },
        }


def _reach_of(guard: Connections, mailboxes: Connections | None) -> Reach:
    second = None
    if mailboxes is not None and mailboxes is not guard:
        second = Identity(
            "the application of mailbox access", mailboxes.tokens, mailboxes.scopes[:1]
        )
    first = Identity("the guard's application", guard.tokens, guard.scopes)
    return Reach(first, second, guard.transport.closed)
