"""Look-ups that wait together are asked together, and each gets its own answer."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import pytest
from sqlalchemy import Connection, select

from kernel.database import Database
from kernel.errors import Unavailable
from kernel.lookups import MOST_AT_ONCE, Lookups
from tests.kernel.writing import STEP, add, rows


class Found:
    """Numbers by themselves, and how many were asked for at once."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.failure: Exception | None = None

    def __call__(self, connection: Connection, keys: Sequence[int]) -> Mapping[int, str]:
        self.asked.append(len(keys))
        if self.failure is not None:
            raise self.failure
        found = connection.scalars(select(rows.c.number).where(rows.c.number.in_(keys)))
        return {number: f"row {number}" for number in found}


@pytest.fixture
def found() -> Found:
    return Found()


@pytest.fixture
def lookups(database: Database, found: Found) -> Lookups[int, str]:
    return Lookups(database, found)


async def test_each_gets_what_is_under_its_key(
    database: Database, lookups: Lookups[int, str]
) -> None:
    await database.write(add(1), failpoint=STEP)
    await database.write(add(2), failpoint=STEP)
    asked = [lookups.get(number) for number in (1, 2, 3, 1)]
    assert await asyncio.gather(*asked) == ["row 1", "row 2", None, "row 1"]


async def test_what_waits_is_asked_together(lookups: Lookups[int, str], found: Found) -> None:
    await asyncio.gather(*(lookups.get(number) for number in range(MOST_AT_ONCE + 20)))
    assert found.asked == [MOST_AT_ONCE, 20]


async def test_an_answer_is_never_older_than_its_question(
    database: Database, lookups: Lookups[int, str]
) -> None:
    for number in range(5):
        assert await lookups.get(number) is None
        await database.write(add(number), failpoint=STEP)
        assert await lookups.get(number) == f"row {number}"


async def test_a_failure_is_told_to_all_who_wait_and_ends_with_them(
    lookups: Lookups[int, str], found: Found
) -> None:
    found.failure = Unavailable("The database is away.", hint="Wait.")
    answers = await asyncio.gather(
        *(lookups.get(number) for number in range(MOST_AT_ONCE + 1)), return_exceptions=True
    )
    assert all(answer is found.failure for answer in answers)
    assert len(found.asked) == 1
    found.failure = None
    assert await lookups.get(1) is None


async def test_who_no_longer_waits_keeps_nobody_else_from_an_answer(
    lookups: Lookups[int, str],
) -> None:
    gone, here = asyncio.create_task(lookups.get(1)), asyncio.create_task(lookups.get(2))
    await asyncio.sleep(0)
    gone.cancel()
    assert await here is None
    with pytest.raises(asyncio.CancelledError):
        await gone
