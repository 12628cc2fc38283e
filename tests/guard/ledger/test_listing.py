"""Pages of decisions: by place and not by number, so that what comes meanwhile moves none."""

from __future__ import annotations

from typing import Any

import pytest

from guard.ledger.filters import ALL, DecisionFilter
from guard.ledger.listing import confirmations_of, page_of_decisions
from guard.ledger.stored import StoredLedger
from kernel.clock import FrozenClock
from kernel.database import Database
from tests.guard.builders import ADMIN_ID, USER_ID
from tests.guard.ledger.test_stored import an_entry


@pytest.fixture
def ledger(database: Database, clock: FrozenClock) -> StoredLedger:
    return StoredLedger(database, clock)


async def a_page(database: Database, wanted: DecisionFilter = ALL, **named: Any) -> Any:
    found = await database.read(lambda c: page_of_decisions(c, wanted, **named))
    return [one["id"] for one in found.decisions], found.next_id


async def test_pages_hold_each_decision_once_while_others_are_made(
    ledger: StoredLedger, database: Database, clock: FrozenClock
) -> None:
    ids = [(await ledger.record(an_entry(clock))).id for _ in range(7)]
    seen, place = await a_page(database, limit=3)
    while place is not None:
        await ledger.record(an_entry(clock))
        some, place = await a_page(database, limit=3, before=place)
        seen += some
    assert seen == ids[::-1]


async def test_an_exact_number_has_no_empty_page_behind_it(
    ledger: StoredLedger, database: Database, clock: FrozenClock
) -> None:
    for _ in range(4):
        await ledger.record(an_entry(clock))
    _, place = await a_page(database, limit=2)
    some, place = await a_page(database, limit=2, before=place)
    assert (len(some), place) == (2, None)
    assert await a_page(database, limit=4, most_looked_through=4) == (
        (await a_page(database, limit=4))[0],
        None,
    )


async def test_what_is_rare_is_found_page_by_page_and_each_looks_through_so_many(
    ledger: StoredLedger, database: Database, clock: FrozenClock
) -> None:
    rule = {"rules": ["one/rule"]}
    rare = (await ledger.record(an_entry(clock, public=rule))).id
    for _ in range(9):
        await ledger.record(an_entry(clock))
    wanted = DecisionFilter(rule="one")
    pages, place = [], None
    while True:
        some, place = await a_page(database, wanted, before=place, most_looked_through=4)
        pages.append(some)
        if place is None:
            break
    assert pages == [[], [], [rare]]


async def test_a_person_is_found_by_id_start_and_by_the_name_that_was_recorded(
    ledger: StoredLedger, database: Database, clock: FrozenClock
) -> None:
    by_admin = (
        await ledger.record(
            an_entry(
                clock,
                public={"initiating_user_id": ADMIN_ID},
                private={"facts": {"actor.upn": "Admin@contoso.com"}, "findings": []},
            )
        )
    ).id
    await ledger.record(an_entry(clock, public={"initiating_user_id": USER_ID}))
    for actor in (ADMIN_ID, ADMIN_ID[:10], "admin@CONTOSO.com"):
        assert await a_page(database, DecisionFilter(actor=actor)) == ([by_admin], None)
    assert await a_page(database, DecisionFilter(actor="admin@contoso.co")) == ([], None)


async def test_an_edit_that_was_confirmed_is_one_line_and_says_so(
    ledger: StoredLedger, database: Database, clock: FrozenClock
) -> None:
    first = (await ledger.record(an_entry(clock))).id
    second = (await ledger.record(an_entry(clock, public={"confirms": first}))).id
    alone = (await ledger.record(an_entry(clock, public={"confirms": "gone"}))).id
    assert await a_page(database, by_edit=True) == ([alone, first], None)
    page = await database.read(page_of_decisions)
    assert await database.read(lambda c: confirmations_of(c, page.decisions)) == {first: second}
    assert await database.read(lambda c: confirmations_of(c, [])) == {}
