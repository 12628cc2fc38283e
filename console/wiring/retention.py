"""What is older than the settings say is masked, then pruned, while a process serves."""

from __future__ import annotations

from datetime import timedelta

from guard.ledger.cut import LEAST_AGE
from guard.ledger.retention import Order, RetentionKind, carry_out
from kernel.clock import Clock
from kernel.database import Database
from kernel.log import get_logger
from kernel.settings import PREFIX, Settings

RETENTION_SECONDS = 3600.0

log = get_logger("retention")


class Retention:
    """Carries out what the settings say of old decisions; without a word there it does nothing."""

    def __init__(self, settings: Settings, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._spans = {
            RetentionKind.MASK: settings.private_retention_days,
            RetentionKind.PRUNE: settings.record_retention_days,
        }

    @property
    def is_asked_for(self) -> bool:
        """Return whether a setting says anything."""
        return any(days is not None for days in self._spans.values())

    async def look(self) -> None:
        """Do what is to be done by now."""
        for kind, days in self._spans.items():
            if days is None:
                continue
            # A span that is too short is one day of mistake, not a lost ledger.
            before = self._clock.now() - max(timedelta(days=days), LEAST_AGE)
            order = Order(kind, before, by=f"the setting {_NAMES[kind]}", reason="its time is over")
            done = await carry_out(self._database, self._clock, order)
            if done:
                log.info("decisions_retired", kind=kind.value, count=done)


_NAMES = {
    RetentionKind.MASK: f"{PREFIX}PRIVATE_RETENTION_DAYS",
    RetentionKind.PRUNE: f"{PREFIX}RECORD_RETENTION_DAYS",
}
