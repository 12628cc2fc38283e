"""A guarded change, its obligations and the watch: a crash at any step ends as if there were none.

Each play runs undisturbed first, over real sockets against the sandbox, and tells which points it
came past. Then it runs again for every one of them, and the process dies there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from guard.ledger.stored import DECISION
from kernel.database import Database
from kernel.failpoints import Recorder
from kernel.tables import metadata
from tests.crashes.end_state import EndState, check_promises, end_state
from tests.crashes.guard_house import House
from tests.crashes.guard_plays import PLAYS
from tests.crashes.plays import Place, Play, crash_at, perform, places_of

# One with an approval, one with a write into Dataverse.
ON_BOTH_DATABASES = tuple(PLAYS)[:2]


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", PLAYS)
async def test_every_step_may_be_the_last(house: House, tmp_path: Path, name: str) -> None:
    def empty_database(number: int) -> str:
        return f"sqlite:///{tmp_path / f'{number}.db'}"

    await check(house, name, empty_database, every=True)


@pytest.mark.postgres
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", ON_BOTH_DATABASES)
async def test_every_step_may_be_the_last_on_postgresql(
    house: House, postgres_url: str, name: str
) -> None:
    """The guard's code is the same there; once for each point shows that the ground is."""

    def empty_database(number: int) -> str:
        database = Database(postgres_url)
        database.create_tables()
        with database.engine.begin() as connection:
            for table in metadata.sorted_tables:
                connection.execute(table.delete())
        database.close()
        return postgres_url

    await check(house, name, empty_database, every=False)


async def check(
    house: House, name: str, empty_database: Callable[[int], str], *, every: bool
) -> None:
    told, trace = PLAYS[name], Recorder()
    await perform(house, empty_database(0), told.play, trace)
    expected = seen(house, told.play)
    assert told.promise(expected), expected
    await house.stop()
    places = places_of(trace)
    assert len(places) >= len({place.point for place in places}) >= 8
    differing = {}
    for number, place in enumerate(only_first(places) if not every else places, start=1):
        died = await perform(house, empty_database(number), told.play, crash_at(place))
        assert died, f"{place} was not reached again"
        found = seen(house, told.play)
        was_lost = place.point == f"{DECISION}:before-commit" and told.promise_when_lost(found)
        if found != expected and not was_lost:
            differing[str(place)] = differences(found, expected)
        await house.stop()
    assert differing == {}


def seen(house: House, play: Play) -> EndState:
    check_promises(house)
    found = end_state(house)
    return found if play.tells_refusals else replace(found, refusals={})


def only_first(places: Sequence[Place]) -> list[Place]:
    return [place for place in places if place.occurrence == 1]


def differences(found: EndState, expected: EndState) -> dict[str, Any]:
    """Return what differs, part by part, as (found, expected)."""
    told: dict[str, Any] = {}
    for part in EndState.__slots__:
        left, right = getattr(found, part), getattr(expected, part)
        if left == right:
            continue
        if isinstance(left, dict):
            keys = [key for key in {**left, **right} if left.get(key) != right.get(key)]
            told[part] = {key: (left.get(key), right.get(key)) for key in keys}
        else:
            told[part] = (left, right)
    return told
