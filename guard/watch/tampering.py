"""What is registered in Dataverse is looked at on a schedule: does it still tell us everything?

Whoever administers Dataverse can switch a step off, narrow a filter, turn the endpoint elsewhere or
let addresses go unapproved. Nothing here mends that: it is written down, told, and nothing is
granted until a person has looked. A pause by break-glass is no tampering; when it is over, the
steps are switched on again here.
"""

from __future__ import annotations

from dataclasses import replace

from guard.active_policies import ActivePolicies
from guard.identity import OwnIdentity
from guard.ports.metrics import GuardMetrics
from guard.ports.registry import ReadingRefused, Registry
from guard.registration import register, stored
from guard.registration.assessment import Assessment
from guard.registration.deviation import unreadable
from guard.registration.pause import pause_of
from guard.registration.stored import WATCHED, Remembered
from kernel.clock import Clock
from kernel.database import Database
from kernel.errors import GuardError
from kernel.log import get_logger
from rules.engine.delivered import delivered_columns

log = get_logger("guard")


class TamperWatch:
    """Compares what is registered with what was; a round that finds nothing new writes nothing."""

    def __init__(
        self,
        registry: Registry,
        database: Database,
        policies: ActivePolicies,
        identity: OwnIdentity,
        clock: Clock,
        metrics: GuardMetrics,
    ) -> None:
        self._registry = registry
        self._database = database
        self._policies = policies
        self._identity = identity
        self._clock = clock
        self._metrics = metrics
        self.unread: str | None = None

    async def run(self) -> Assessment | None:
        """Look once; None where nothing was registered, or a registration is under way.

        Raises a GuardError when Dataverse can't be read; `unread` then says so until it can.
        """
        known = await self._database.read(stored.find)
        organization_id = self._identity.organization_id
        if known is None or not known.is_finished or organization_id is None:
            self.unread = None
            return None
        try:
            found = await self._assessed(organization_id, known)
            if found.overdue:
                await self._end(found, known)
                known = await self._database.read(stored.find) or known
                found = await self._assessed(organization_id, known)
        except GuardError as error:
            self.unread = f"What is registered in Dataverse can't be read: {error.message}"
            if isinstance(error, ReadingRefused):
                # Whoever takes our right to look may do so before anything else (law 1).
                told = (unreadable(known.endpoint_id),)
                await self._note(known, Assessment(told, (), known.outdated, known.pause))
            raise
        self.unread = None
        await self._note(known, found)
        return found

    async def _assessed(self, organization_id: str, known: Remembered) -> Assessment:
        seen = await register.look(
            self._registry,
            organization_id,
            url=known.url,
            choice=known.choice,
            named=delivered_columns(self._policies.current),
            known=known,
            now=self._clock.now(),
        )
        return seen.assessment

    async def _end(self, found: Assessment, known: Remembered) -> None:
        """Switch on what was paused for long enough; where that is refused, the watch goes on.

        A pause that came and went while nobody served is written down first: it is gone after.
        """
        pauses = [pause for step in found.overdue if (pause := pause_of(step)) is not None]
        if known.pause is None and pauses:
            await self._write(replace(found, pause=pauses[0]))
        try:
            await register.end_pauses(self._registry, found.overdue)
        except GuardError as error:
            log.warning("pause_not_ended", error_code=error.code, error=error.message)
            return
        log.warning("pause_ended", steps=[step.title for step in found.overdue])
        self._metrics.watched("pause-ended")

    async def _note(self, known: Remembered, found: Assessment) -> None:
        is_as_noted = (found.deviations, found.outdated, found.pause) == (
            known.deviations,
            known.outdated,
            known.pause,
        )
        if is_as_noted:
            return
        before = {one.identity for one in (*known.deviations, *known.outdated)}
        for one in found.deviations:
            if one.identity not in before:
                log.error("registration_differs", part=one.part.value, what=one.text)
                self._metrics.watched("registration-differs")
        for one in found.outdated:
            if one.identity not in before:
                log.warning("registration_outdated", part=one.part.value, what=one.text)
        if found.pause != known.pause and found.pause is not None:
            log.warning("steps_paused", until=found.pause.until, reason=found.pause.reason)
            self._metrics.watched("pause")
        await self._write(found)

    async def _write(self, found: Assessment) -> None:
        now = self._clock.now()
        await self._database.write(
            lambda c: stored.note(
                c,
                deviations=found.deviations,
                outdated=found.outdated,
                pause=found.pause,
                now=now,
            ),
            failpoint=WATCHED,
        )
