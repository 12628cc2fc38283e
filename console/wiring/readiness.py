"""Whether a process would decide now, why not, and what it cannot do meanwhile.

What was made sure of at the start can change while a process runs. Whoever repeats something asks
here before each call; whoever asks from outside has a write tried as well.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection

from console import schema
from console.pulled import count_stopped
from console.readings.registration import told_of
from console.wiring.reach import Reach
from guard.registration import stored
from kernel import recall
from kernel.brake import BRAKES
from kernel.clock import Clock
from kernel.database import Database
from kernel.errors import GuardError
from kernel.log import get_logger
from kernel.pulse import PULSE, beat
from kernel.tables import added_code

SCHEMA_SECONDS = 5.0
# A write that worked so long ago still speaks for the next: an idle process writes no more often.
PULSE_SECONDS = 10.0
# Whoever asks whether we are ready asks often, and does not wait for long.
_LOOK_SECONDS = 3.0

log = get_logger("readiness")


class Status(StrEnum):
    """How a process stands, in one word."""

    READY = "ready"
    DEGRADED = "degraded"
    UNREADY = "unready"


@dataclass(frozen=True, slots=True)
class Standing:
    """What was found: the problem that keeps it from deciding, what it lacks, pulled brakes."""

    problem: str | None
    degraded: tuple[str, ...] = ()
    brakes: tuple[dict[str, Any], ...] = ()

    @property
    def status(self) -> Status:
        """Return the word for it."""
        if self.problem is not None:
            return Status.UNREADY
        return Status.DEGRADED if self.degraded else Status.READY


@dataclass(slots=True)
class Readiness:
    """What stands in the way, each in words; None where nothing does.

    `ending`, `other_schema` and `other_organization` stop whatever is repeated, and deliveries.
    `reach` is None where nothing is configured.
    """

    database: Database
    clock: Clock
    reach: Reach | None = None
    ending: str | None = None
    other_schema: str | None = None
    other_organization: str | None = None
    _wrote_at: float = float("-inf")

    @property
    def problem(self) -> str | None:
        """Return why nothing can be done now."""
        return self.ending or self.other_schema or self.other_organization

    def is_ready(self) -> bool:
        """Return whether nothing stands in the way."""
        return self.problem is None

    async def look(self) -> Standing:
        """Look at everything that a decision needs: ready means that one would be made now."""
        problem = await self.look_at_schema() or await self._try_a_write()
        problem = self.problem or problem
        if problem is None and self.reach is not None:
            problem = self.reach.problem
        told: list[str] = []
        if self.reach is not None:
            told += self.reach.lacking
        else:
            told.append("Nothing is looked up, granted or reverted: Dataverse is not configured.")
        try:
            brakes = await self.database.read(_pulled)
            resting = await self.database.read(recall.count_resting)
            registered = await self.database.read(stored.find)
        except GuardError as error:
            return Standing(problem or error.message, tuple(told))
        told += [one["text"] for one in brakes]
        told += told_of(registered)
        if resting:
            told.append(
                "The database is older than the newest anchor or our own writes in Dataverse; "
                f"{resting} approvals rest until each was looked up again."
            )
        return Standing(problem, tuple(told), tuple(brakes))

    async def look_at_schema(self) -> str | None:
        """See whether the schema is still ours, and return why that can't be seen.

        An upgrade may come while the old version runs. What can't be read says nothing about it.
        """
        try:
            async with asyncio.timeout(_LOOK_SECONDS):
                schema.require_ours(await self.database.read(schema.read_number))
                schema.require_passive(await self.database.read(added_code))
        except TimeoutError:
            return "The database does not answer."
        except schema.SchemaOutdated as error:
            if self.other_schema is None:
                event = error.code.replace("-", "_")
                log.error(event, error=error.message, hint=error.hint)
            self.other_schema = error.message
        except GuardError as error:
            return error.message
        else:
            self.other_schema = None
        return None

    async def _try_a_write(self) -> str | None:
        """Return why nothing can be written; a write that worked just now need not be repeated."""
        if self.other_schema is not None:
            return None
        if (
            self.database.write_failure is None
            and self.clock.monotonic() - self._wrote_at < PULSE_SECONDS
        ):
            return None
        now = self.clock.now()
        try:
            await self.database.write(
                lambda c: beat(c, now=now), failpoint=PULSE, deadline_seconds=_LOOK_SECONDS
            )
        except GuardError as error:
            return error.message
        self._wrote_at = self.clock.monotonic()
        return None


def _pulled(connection: Connection) -> list[dict[str, Any]]:
    """Return the brakes that are pulled, each with what it has stopped and how it goes on."""
    found = []
    for (name, scope), count in sorted(count_stopped(connection).items()):
        known = BRAKES.get(name)
        release = known.release.value.replace("NAME", name) if known else "brakes list"
        of = f" of table {scope}" if scope else ""
        found.append(
            {
                "brake": name,
                "scope": scope,
                "stopped": count,
                "release": release,
                "text": f"The brake {name}{of} has stopped {count}: `mailbox-guard {release}`.",
            }
        )
    return found
