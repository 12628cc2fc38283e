"""An export sees the ledger as it was when it began, the oldest first, on both databases."""

from __future__ import annotations

import asyncio
from typing import Any

from guard.ledger import export
from guard.ledger.filters import ALL, DecisionFilter
from guard.ledger.stored import StoredLedger
from kernel.clock import FrozenClock
from kernel.database import Database
from tests.guard.builders import MAILBOX_ID
from tests.guard.ledger.test_stored import an_entry


async def test_what_is_written_meanwhile_is_of_the_next_export(
    database: Database, clock: FrozenClock
) -> None:
    ledger = StoredLedger(database, clock)
    entries = [an_entry(clock) for _ in range(export.ROWS_AT_ONCE + 2)]
    await asyncio.gather(*(ledger.record(entry) for entry in entries))
    loop = asyncio.get_running_loop()

    def walk(connection: Any) -> list[str]:
        export.begin(connection)
        found: list[str] = []
        for page in export.pages(connection, ALL):
            found += [one["id"] for one in page.decisions]
            if len(found) == export.ROWS_AT_ONCE:
                late = asyncio.run_coroutine_threadsafe(_record_one(ledger, clock), loop)
                late.result(10)
        return found

    assert await database.read(walk) == [entry.id for entry in entries]
    again = await database.read(lambda c: [p.seen for p in export.pages(c, ALL)])
    assert again[-1] == len(entries) + 1


async def _record_one(ledger: StoredLedger, clock: FrozenClock) -> None:
    await ledger.record(an_entry(clock))


async def test_a_decision_carries_the_digest_of_its_record(
    database: Database, clock: FrozenClock
) -> None:
    await StoredLedger(database, clock).record(an_entry(clock))
    (page,) = await database.read(lambda c: list(export.pages(c, ALL)))
    (one,) = page.decisions
    assert one["record_id"] == MAILBOX_ID
    assert (one["chain"]["place"], len(one["chain"]["digest"])) == (0, 64)
    none = DecisionFilter(table="queue")
    assert await database.read(lambda c: list(export.pages(c, none))) == []
