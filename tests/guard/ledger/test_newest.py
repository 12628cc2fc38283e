"""The newest part of the ledger is looked at alone, and what was altered in it is found."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from guard.ledger.newest import altered_among_newest
from guard.ledger.retention import RetentionKind, carry_out
from guard.ledger.stored import DECISION, StoredLedger
from kernel import ids as kernel_ids
from kernel.clock import FrozenClock
from kernel.database import Database
from rules.load.loader import load_documents
from tests.guard.assembled import POLICIES
from tests.guard.ledger.test_retention import filled, order
from tests.guard.ledger.test_stored import an_entry

SET = load_documents(POLICIES)
MOST = 3
WRITTEN = 6


@pytest.fixture
async def ids(database: Database, clock: FrozenClock) -> list[str]:
    ledger = StoredLedger(database, clock)
    entries = [an_entry(clock) for _ in range(WRITTEN)]
    for entry in entries:
        await ledger.record(entry, policy_set=SET)
    assert await ledger.mask(entries[-2].id)
    return [entry.id for entry in entries]


def looked_at(database: Database, statement: str = "", most: int = MOST) -> tuple[int, str | None]:
    if statement:
        database.write_now(lambda c: c.execute(text(statement)), failpoint=DECISION)
    return database.read_now(lambda c: altered_among_newest(c, most))


def test_an_empty_ledger_is_whole(database: Database) -> None:
    assert looked_at(database) == (0, None)


@pytest.mark.parametrize("most", [1, MOST, WRITTEN - 1, WRITTEN, WRITTEN + 1])
async def test_a_whole_ledger_is_whole_however_much_is_looked_at(
    database: Database, ids: list[str], most: int
) -> None:
    checked, altered = looked_at(database, most=most)
    assert altered is None
    assert min(most, WRITTEN) <= checked <= WRITTEN


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("UPDATE {table} SET decision = 'reject' WHERE id = '{newest}'", "altered"),
        ("UPDATE {table} SET private = '{{}}' WHERE id = '{newest}'", "private part"),
        ("DELETE FROM {table} WHERE id = '{newest}'", "missing"),
        ("DELETE FROM {table} WHERE id = '{before}'", "missing"),
    ],
)
async def test_what_was_altered_among_the_newest_is_found(
    database: Database, ids: list[str], statement: str, told: str
) -> None:
    table = "guard_decisions"
    altering = statement.format(table=table, newest=ids[-1], before=ids[-2])
    _, found = looked_at(database, altering)
    assert found is not None
    assert told in found


async def test_what_is_older_is_left_to_the_whole_walk(database: Database, ids: list[str]) -> None:
    altering = f"UPDATE guard_decisions SET decision = 'reject' WHERE id = '{ids[0]}'"
    assert looked_at(database, altering) == (MOST, None)


async def test_what_was_pruned_is_not_missing(
    database: Database, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernel_ids, "_last", [0, 0])
    await filled(database, clock)
    assert await carry_out(database, clock, order(RetentionKind.PRUNE, clock)) > 0
    checked, altered = looked_at(database)
    assert altered is None
    assert checked >= 1
