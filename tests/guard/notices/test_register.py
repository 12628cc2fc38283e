from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select, text

from guard.notices.register import (
    MOST_IN_ALL,
    Asked,
    Turn,
    TurnState,
    about,
    end_turn,
    notices,
    take_turn,
)
from kernel.database import Database
from kernel.failpoints import failpoint
from tests.conftest import NOON

STEP = failpoint("tests.register", "A turn of the tests of the register.")


def asked(number: int, *, person: str = "p", budget: str = "told", what: str = "") -> Asked:
    thing = about("mailbox", what or str(number), "reject", ["a/b"])
    return Asked("app", f"d{number:05d}", person, thing, None, budget)


def take(database: Database, one: Asked, now: datetime = NOON) -> Turn:
    return database.write_now(lambda c: take_turn(c, one, now=now), failpoint=STEP)


def end(database: Database, turn: Turn, state: TurnState) -> None:
    database.write_now(lambda c: end_turn(c, turn, state), failpoint=STEP)


def test_asked_again_it_has_the_turn_that_it_took(database: Database) -> None:
    first = take(database, asked(1))
    assert first.state is TurnState.TAKEN
    later = take(database, asked(1), NOON + timedelta(minutes=3))
    assert (later.state, later.since) == (TurnState.TAKEN, NOON)


def test_the_budget_of_what_was_seen_is_another(database: Database) -> None:
    for number in range(MOST_IN_ALL):
        assert take(database, asked(number, person=f"p{number}")).state is TurnState.TAKEN
    assert take(database, asked(900, person="x")).state is TurnState.LEFT_OUT
    assert take(database, asked(901, person="x", budget="seen")).state is TurnState.TAKEN


def test_what_found_nobody_takes_no_turn_of_others(database: Database) -> None:
    for number in range(MOST_IN_ALL):
        end(database, take(database, asked(number, person=f"p{number}")), TurnState.NOBODY)
    assert take(database, asked(900, person="x")).state is TurnState.TAKEN


def test_how_many_were_left_out_is_counted_once(database: Database) -> None:
    for number in range(8):
        turn = take(database, asked(number))
        if turn.state is TurnState.TAKEN:
            end(database, turn, TurnState.GIVEN)
    later = take(database, asked(100), NOON + timedelta(hours=2))
    assert later.untold == 3
    end(database, later, TurnState.GIVEN)
    assert take(database, asked(101), NOON + timedelta(hours=4)).untold == 0


def test_what_is_old_is_forgotten_little_by_little(database: Database) -> None:
    for number in range(250):
        take(database, asked(number, person=f"p{number}"))
    for number in (900, 901):
        take(database, asked(number), NOON + timedelta(days=3))
    count = select(func.count()).select_from(notices)
    assert database.read_now(lambda c: c.scalar(count)) == 2


@pytest.mark.parametrize("column", ["person_id", "budget"])
def test_a_flood_that_is_left_out_is_not_read_to_count_what_was_told(
    database: Database, column: str
) -> None:
    if database.dialect != "sqlite":
        pytest.skip("The plan is asked of SQLite alone.")
    plan = text(
        "EXPLAIN QUERY PLAN SELECT count(*) FROM guard_notices WHERE channel = 'app' "
        f"AND state IN ('taken', 'given') AND at > 1 AND {column} = 'x'"
    )
    (row,) = database.read_now(lambda c: c.execute(plan).all())
    assert f"({'channel=? AND ' + column + '=? AND state=? AND at>?'})" in row.detail
