"""How often each rule fired is counted in the commits of the decisions, once for each edit."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from guard.ledger import firings
from guard.ledger.firings import NONE
from guard.ledger.stored import DECISION, StoredLedger
from guard.ledger.tables import firings as table
from kernel.clock import FrozenClock
from kernel.database import Database
from kernel.database import insert as insert_into
from kernel.failpoints import Crash, CrashAt
from tests.guard.ledger.test_stored import an_entry

RULE = "own-address-only/same-as-owner"


def a_finding(effect: str = "reject", *, result: str = "fail", rule: str = RULE) -> dict[str, Any]:
    policy, _, name = rule.partition("/")
    return {"policy": policy, "rule": name, "result": result, "effect": effect}


def with_findings(clock: FrozenClock, *found: dict[str, Any], **public: Any) -> Any:
    return an_entry(clock, private={"findings": list(found)}, public=public)


@pytest.fixture
def ledger(database: Database, clock: FrozenClock) -> StoredLedger:
    return StoredLedger(database, clock)


async def test_each_finding_is_counted_by_what_came_of_it(
    ledger: StoredLedger, database: Database, clock: FrozenClock
) -> None:
    began = clock.now()
    for found in (
        [a_finding()],
        [a_finding()],
        [a_finding("warn")],
        [a_finding(result="excepted")],
    ):
        await ledger.record(with_findings(clock, *found))
    await ledger.record(with_findings(clock, a_finding("audit", rule="other/one"), a_finding()))
    await ledger.record(an_entry(clock))
    found = await database.read(lambda c: firings.list_since(c, began))
    assert {rule: one.by_effect for rule, one in found.items()} == {
        RULE: {"reject": 3, "warn": 1, "excepted": 1},
        "other/one": {"audit": 1},
    }
    assert (found[RULE].count, found[RULE].last_day) == (5, began.date())
    assert (NONE.count, NONE.last_day) == (0, None)


async def test_what_confirms_a_decision_is_not_counted_again(
    ledger: StoredLedger, database: Database, clock: FrozenClock
) -> None:
    first = await ledger.record(with_findings(clock, a_finding("audit")))
    await ledger.record(with_findings(clock, a_finding("audit"), confirms=first.id))
    found = await database.read(lambda c: firings.list_since(c, clock.now()))
    assert found[RULE].count == 1


async def test_days_are_apart_and_processes_are_added_up(
    ledger: StoredLedger, database: Database, clock: FrozenClock
) -> None:
    long_ago = clock.now()
    await ledger.record(with_findings(clock, a_finding()))
    clock.advance(40 * 86_400)
    await ledger.record(with_findings(clock, a_finding()))
    await StoredLedger(database, clock).record(with_findings(clock, a_finding()))
    since = clock.now() - timedelta(days=30)
    found = await database.read(lambda c: firings.list_since(c, since))
    assert found[RULE].count == 2
    found = await database.read(lambda c: firings.list_since(c, long_ago))
    assert found[RULE].count == 3
    assert await database.read(firings.counted_since) == long_ago.date()


async def test_a_repeated_delivery_is_counted_once(
    ledger: StoredLedger, database: Database, clock: FrozenClock
) -> None:
    entry = with_findings(clock, a_finding())
    for _ in range(2):
        one = an_entry(clock, key="delivery", private=entry.private, public=entry.public)
        await ledger.record(one)
    found = await database.read(lambda c: firings.list_since(c, clock.now()))
    assert found[RULE].count == 1


async def test_a_crash_at_the_commit_counts_what_was_recorded_and_nothing_else(
    open_database: Callable[..., Database], clock: FrozenClock
) -> None:
    for point, count in (("before-commit", 0), ("after-commit", 1)):
        dying = open_database(CrashAt(f"{DECISION}:{point}"))
        with pytest.raises(Crash):
            await StoredLedger(dying, clock).record(with_findings(clock, a_finding()))
        found = open_database().read_now(lambda c: firings.list_since(c, clock.now()))
        assert found.get(RULE, NONE).count == count


async def test_a_row_without_a_rule_says_since_when_is_counted(
    database: Database, clock: FrozenClock
) -> None:
    assert await database.read(firings.counted_since) is None
    await database.write(
        lambda c: c.execute(
            insert_into(c, table).values(chain="", day=20_000, rule="", effect="", count=0)
        ),
        failpoint=DECISION,
    )
    assert str(await database.read(firings.counted_since)) == "2024-10-04"
    assert await database.read(lambda c: firings.list_since(c, clock.now())) == {}
