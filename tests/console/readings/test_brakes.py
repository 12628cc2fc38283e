"""A brake is released on a person's word, an act of the record; without a stop there is none."""

from __future__ import annotations

import json

import pytest

from console.readings.brakes import list_stops, release
from kernel import acts, approvals, stops
from kernel.clock import FrozenClock
from kernel.database import Database
from kernel.errors import InputRefused
from kernel.principal import Principal, Proof
from kernel.stops import RELEASED, STOPPED, Stopped

OLGA = Principal("Olga Operator", Proof.ENTRA, object_id="o1")


async def test_a_release_names_what_goes_on_and_who_said_so(
    database: Database, clock: FrozenClock
) -> None:
    now = clock.now()
    found = [Stopped("row-1", "m1", "Eleven rows are gone.")]
    await database.write(
        lambda c: stops.add(c, "guard.gone", "mailbox", found, now=now), failpoint=STOPPED
    )
    for goes_on, is_released in ((1, True), (0, True)):
        let_go = await database.write(
            lambda c: release(c, "guard.gone", by=OLGA, now=now), failpoint=RELEASED
        )
        assert [one["subject"] for one in let_go] == ["row-1"][:goes_on]
        [shown] = await database.read(list_stops)
        assert (shown["released"], shown["mailbox"], shown["address"]) == (is_released, "m1", None)
    # What a brake had not stopped needs no word, and leaves none.
    [act] = await database.read(lambda c: list(acts.walk(c)))
    assert (act.kind, act.subject, json.loads(act.private)["by"]) == (
        "release",
        "guard.gone",
        "Olga Operator",
    )
    assert await database.read(approvals.list_all) == []


async def test_what_another_word_releases_is_not_released_here(
    database: Database, clock: FrozenClock
) -> None:
    now, found = clock.now(), [Stopped("row-1", "m1", "A scan would withdraw too many.")]
    await database.write(
        lambda c: stops.add(c, "guard.scan", "mailbox", found, now=now), failpoint=STOPPED
    )
    with pytest.raises(InputRefused) as refused:
        await database.write(
            lambda c: release(c, "guard.scan", by=OLGA, now=now), failpoint=RELEASED
        )
    assert "--yes-withdraw" in str(refused.value.hint)
    [shown] = await database.read(list_stops)
    assert not shown["released"]
    assert await database.read(lambda c: list(acts.walk(c))) == []
