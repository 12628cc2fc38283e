"""Holds end by themselves: what nobody decided in time, and what was released and not done."""

from __future__ import annotations

from guard.ledger import holds
from kernel.clock import Clock
from kernel.database import Database
from kernel.failpoints import failpoint
from kernel.log import get_logger

EXPIRED = failpoint("guard.holds-expired", "It is noted which holds have run out.")
log = get_logger("guard")


async def expire(database: Database, clock: Clock) -> int:
    """Note which holds have run out, and return how many; with none nothing is written (law 10).

    Whoever asks for a hold sees it expired before that is noted.
    """
    now = clock.now()
    if not await database.read(lambda c: holds.any_expired(c, now=now)):
        return 0
    count = await database.write(lambda c: holds.expire(c, now=now), failpoint=EXPIRED)
    log.info("holds_expired", holds=count)
    return count
