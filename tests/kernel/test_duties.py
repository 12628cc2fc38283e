"""A duty is one process's at a time, and another's once its holder no longer comes."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import text

from kernel.clock import FrozenClock
from kernel.database import Database
from kernel.duties import GIVEN_BACK, LEAST_SECONDS, TAKEN, Duties, give_back, is_free, take
from tests.conftest import NOON

LATER = NOON + timedelta(seconds=60)


def taken(database: Database, holder: str, *, now: float = 0.0) -> bool:
    at = NOON + timedelta(seconds=now)
    until = at + timedelta(seconds=60)
    return database.write_now(
        lambda c: take(c, "watch", holder=holder, now=at, until=until), failpoint=TAKEN
    )


def test_one_has_it_until_its_time_is_over(database: Database) -> None:
    assert taken(database, "a")
    assert not taken(database, "b", now=59)
    assert taken(database, "a", now=30)
    # It came again, so its time goes on.
    assert not taken(database, "b", now=89)
    assert taken(database, "b", now=90)
    assert not taken(database, "a", now=91)


def test_who_gives_it_back_is_followed_at_once(database: Database) -> None:
    assert taken(database, "a")
    database.write_now(lambda c: give_back(c, holder="b", now=NOON), failpoint=GIVEN_BACK)
    assert not database.read_now(lambda c: is_free(c, "watch", holder="b", now=NOON))
    database.write_now(lambda c: give_back(c, holder="a", now=NOON), failpoint=GIVEN_BACK)
    assert taken(database, "b")


async def test_of_many_processes_one_does_it_in_each_round(
    database: Database, clock: FrozenClock
) -> None:
    processes = [Duties(database, clock, holder=f"p{number}") for number in range(5)]

    async def round_of(those: list[Duties]) -> list[bool]:
        return await asyncio.gather(*(one.has("watch", every_seconds=60) for one in those))

    if database.dialect == "sqlite":
        assert await round_of(processes) == [True] * 5
        assert (
            database.read_now(lambda c: c.scalar(text("SELECT count(*) FROM kernel_duties"))) == 0
        )
        return
    first = await round_of(processes)
    assert first.count(True) == 1
    for _ in range(3):
        clock.advance(60)
        assert await round_of(processes) == first
    # The holder dies; after three rounds another has it.
    left = [one for one, has in zip(processes, first, strict=True) if not has]
    clock.advance(120)
    assert not any(await round_of(left))
    clock.advance(61)
    assert (await round_of(left)).count(True) == 1


@pytest.mark.postgres
async def test_a_process_that_stops_gives_its_duties_back(
    database: Database, clock: FrozenClock
) -> None:
    one, other = (Duties(database, clock, holder=name) for name in ("one", "other"))
    assert await one.has("watch", every_seconds=1)
    if database.dialect == "postgresql":
        assert not await other.has("watch", every_seconds=1)
    await one.give_back()
    assert await other.has("watch", every_seconds=1)
    assert LEAST_SECONDS >= 30
