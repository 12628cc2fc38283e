"""Any split of a delta stream into pages, with repeats and disorder, ends in the same rows."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kernel.clock import FrozenClock
from kernel.database import Database
from sync.engine.workload import Page, Permit
from sync.mail.exchange.memory import MemoryExchange
from sync.run.once import once
from tests.sync.builders import ANNA_OBJECT, World, a_message

NUMBERS = range(6)
REMOVED = {"reason": "deleted"}
_names = itertools.count()


class Scripted(MemoryExchange):
    """An Exchange whose delta gives the pages of a script, whatever the link's text says."""

    def __init__(self, pages: Sequence[Sequence[dict[str, Any]]]) -> None:
        super().__init__()
        self._pages = pages

    async def page(self, object_id: str, *, folder: str, link: str | None, permit: Permit) -> Page:
        await permit()
        at = int(link) if link else 0
        entries = tuple(self._pages[at]) if at < len(self._pages) else ()
        if at + 1 < len(self._pages):
            return Page(entries, next_link=str(at + 1))
        return Page(entries, delta_link=str(at + 1))


@st.composite
def scripts(draw: st.DrawFn) -> list[list[dict[str, Any]]]:
    """Every mail at least once and whole; beside it repeats, partial updates and removals."""
    entries = [a_message(number) for number in NUMBERS]
    entries += [a_message(n) for n in draw(st.lists(st.sampled_from(NUMBERS), max_size=6))]
    entries += [
        {"id": a_message(n)["id"], "isRead": True}
        for n in draw(st.lists(st.sampled_from(NUMBERS), max_size=4))
    ]
    entries += [
        {"id": a_message(n)["id"], "@removed": REMOVED}
        for n in draw(st.lists(st.sampled_from(NUMBERS), max_size=4))
    ]
    shuffled = draw(st.permutations(entries))
    cuts = sorted(draw(st.lists(st.integers(0, len(shuffled)), max_size=8)))
    bounds = [0, *cuts, len(shuffled)]
    return [list(shuffled[start:end]) for start, end in itertools.pairwise(bounds)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("properties")


async def _rows(folder: Path, pages: Sequence[Sequence[dict[str, Any]]]) -> dict[Any, Any]:
    database = Database(f"sqlite:///{folder / f'{next(_names)}.db'}")
    database.create_tables()
    database.open()
    try:
        world = World(database, FrozenClock(datetime(2026, 11, 23, 12, 0, tzinfo=UTC)))
        world.approve_anna()
        exchange = Scripted(pages)
        for number in NUMBERS:  # For what is read apart: the mails are there, or were moved.
            exchange.deliver(ANNA_OBJECT, a_message(number))
        world.exchange = exchange
        await once(world.another_process())
        await once(world.another_process())
        return world.emails.rows
    finally:
        database.close()


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(pages=scripts())
async def test_any_split_repeat_and_disorder_ends_in_the_same_rows(
    folder: Path, pages: list[list[dict[str, Any]]]
) -> None:
    straight = await _rows(folder, [[a_message(number) for number in NUMBERS]])

    assert await _rows(folder, pages) == straight
