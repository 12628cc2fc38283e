"""A guarded change, its obligations and the watch: a crash at any step ends as if there were none.

Each scenario runs undisturbed first, over real sockets against the sandbox, and tells which points
it came past. Then it runs again for every one of them, and the process dies there.
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
from tests.crashes.acts import Place, Scenario, crash_at, perform, places_of
from tests.crashes.end_state import EndState, check_promises, end_state
from tests.crashes.guard_scenarios import SCENARIOS
from tests.crashes.guarded_organization import GuardedOrganization

# One with an approval, one with a write into Dataverse.
ON_BOTH_DATABASES = tuple(SCENARIOS)[:2]


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", SCENARIOS)
async def test_every_step_may_be_the_last(
    guarded: GuardedOrganization, tmp_path: Path, name: str
) -> None:
    def empty_database(number: int) -> str:
        return f"sqlite:///{tmp_path / f'{number}.db'}"

    await check(guarded, name, empty_database, every=True)


@pytest.mark.postgres
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", ON_BOTH_DATABASES)
async def test_every_step_may_be_the_last_on_postgresql(
    guarded: GuardedOrganization, postgres_url: str, name: str
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

    await check(guarded, name, empty_database, every=False)


async def check(
    guarded: GuardedOrganization, name: str, empty_database: Callable[[int], str], *, every: bool
) -> None:
    promised, trace = SCENARIOS[name], Recorder()
    await perform(guarded, empty_database(0), promised.scenario, trace)
    expected = seen(guarded, promised.scenario)
    assert promised.promise(expected), expected
    await guarded.stop()
    places = places_of(trace)
    assert len(places) >= len({place.point for place in places}) >= 8
    differing = {}
    for number, place in enumerate(only_first(places) if not every else places, start=1):
        died = await perform(guarded, empty_database(number), promised.scenario, crash_at(place))
        assert died, f"{place} was not reached again"
        found = seen(guarded, promised.scenario)
        is_lost = place.point == f"{DECISION}:before-commit"
        # Nobody is told of what nobody wrote down: the reconciliation knows not whose it was.
        wanted = replace(expected, notices=found.notices) if is_lost else expected
        if found.notices > expected.notices or (
            found != wanted and not (is_lost and promised.promise_when_lost(found))
        ):
            differing[str(place)] = differences(found, expected)
        await guarded.stop()
    assert differing == {}


def seen(guarded: GuardedOrganization, scenario: Scenario) -> EndState:
    check_promises(guarded)
    found = end_state(guarded)
    return found if scenario.tells_refusals else replace(found, refusals={})


def only_first(places: Sequence[Place]) -> list[Place]:
    return [place for place in places if place.occurrence == 1]


def differences(found: EndState, expected: EndState) -> dict[str, Any]:
    """Return what differs, part by part, as (found, expected)."""
    promised: dict[str, Any] = {}
    for part in EndState.__slots__:
        left, right = getattr(found, part), getattr(expected, part)
        if left == right:
            continue
        if isinstance(left, dict):
            keys = [key for key in {**left, **right} if left.get(key) != right.get(key)]
            promised[part] = {key: (left.get(key), right.get(key)) for key in keys}
        else:
            promised[part] = (left, right)
    return promised
