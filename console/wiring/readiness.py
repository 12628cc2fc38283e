"""Why a process can do nothing now: it ends, or its surroundings are no longer what they were.

What was made sure of at the start can change while a process runs. Whoever repeats something asks
here before each call.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from console import schema
from kernel.database import Database
from kernel.errors import GuardError
from kernel.log import get_logger

SCHEMA_SECONDS = 5.0
# Whoever asks whether we are ready asks often, and does not wait for long.
_LOOK_SECONDS = 3.0

log = get_logger("readiness")


@dataclass(slots=True)
class Readiness:
    """What stands in the way, each in words; None where nothing does."""

    database: Database
    ending: str | None = None
    other_schema: str | None = None
    other_organization: str | None = None

    @property
    def problem(self) -> str | None:
        """Return why nothing can be done now."""
        return self.ending or self.other_schema or self.other_organization

    def is_ready(self) -> bool:
        """Return whether nothing stands in the way."""
        return self.problem is None

    async def look_at_schema(self) -> str | None:
        """See whether the schema is still ours, and return why that can't be seen.

        An upgrade may come while the old version runs. What can't be read says nothing about it.
        """
        try:
            async with asyncio.timeout(_LOOK_SECONDS):
                schema.require_ours(await self.database.read(schema.read_number))
        except TimeoutError:
            return "The database does not answer."
        except schema.SchemaOutdated as error:
            if self.other_schema is None:
                log.error("schema_outdated", error=error.message, hint=error.hint)
            self.other_schema = error.message
        except GuardError as error:
            return error.message
        else:
            self.other_schema = None
        return None
