"""Wherever `dataverse register` dies, given again it ends in the same registration, none twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from console.wiring.connections import connect_guard
from guard.ports.dataverse_registry import REGISTRATION_WRITE, DataverseRegistry
from guard.registration import register as registering
from guard.registration import stored
from guard.registration.desired import StepChoice
from guard.registration.stored import INTENDED, REMEMBERED
from kernel.clock import FrozenClock
from kernel.database import Database
from kernel.failpoints import NONE, Crash, CrashAt, Failpoints, Recorder
from kernel.principal import Principal, Proof
from kernel.settings import load
from sandbox.server import Sandbox
from tests.conftest import NOON
from tests.crashes.beginning import Beginning
from tests.crashes.guarded_organization import database_url

URL = "https://guard.contoso.com/webhooks/dataverse"
KEY = "the-key-of-the-crash-tests-of-registering"
TABLES = ("serviceendpoint", "sdkmessageprocessingstep", "sdkmessageprocessingstepimage")
ADA = Principal("Ada", Proof.ACCOUNT)
# What a write changes of itself.
STAMPS = {"versionnumber", "createdon", "modifiedon"}


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(clock=FrozenClock(NOON)) as running:
        yield running


async def _register(sandbox: Sandbox, path: Path, failpoints: Failpoints) -> None:
    """Do what the command does, in a process of its own as far as anything is kept."""
    clock = FrozenClock(NOON)
    database = Database(database_url(path), failpoints=failpoints)
    database.create_tables()
    database.open()
    connections = connect_guard(load(sandbox.settings(), None), clock, failpoints=failpoints)
    try:
        registry = DataverseRegistry(connections.dataverse)
        seen = await registering.look(
            registry,
            (await connections.dataverse.who_am_i()).organization_id,
            url=URL,
            choice=StepChoice.BOTH,
            named={},
            known=await database.read(stored.find),
            now=NOON,
        )
        await registering.register(
            registry,
            database,
            seen,
            registering.planned(seen, key=KEY),
            choice=StepChoice.BOTH,
            key=KEY,
            by=ADA,
            now=NOON,
        )
        known = await database.read(stored.find)
        assert known is not None
        assert known.is_finished
    finally:
        database.close()
        await connections.aclose()


def _standing(sandbox: Sandbox) -> dict[str, list[dict[str, Any]]]:
    """Everything that is registered, by table, without what each write changes of itself."""
    return {
        table: sorted(
            (
                {name: value for name, value in row.items() if name not in STAMPS}
                for row in sandbox.rows(table)
            ),
            key=str,
        )
        for table in TABLES
    }


def _places(trace: Recorder) -> list[tuple[str, int]]:
    """Return each moment at its first, second, middle and last time."""
    counted = Counter(trace.reached)
    return [
        (point, occurrence)
        for point, most in counted.items()
        for occurrence in sorted({1, min(2, most), (most + 1) // 2, most})
    ]


async def test_a_crash_at_any_write_leaves_nothing_that_the_next_run_does_not_mend(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    beginning = Beginning(sandbox, TABLES)
    trace = Recorder()
    await _register(sandbox, tmp_path / "undisturbed.db", trace)
    undisturbed = _standing(sandbox)
    assert len(undisturbed["sdkmessageprocessingstep"]) == 16
    reached = {point.rpartition(":")[0] for point in trace.reached}
    assert reached == {REGISTRATION_WRITE, INTENDED, REMEMBERED}

    for number, (point, occurrence) in enumerate(_places(trace)):
        beginning.restore()
        path = tmp_path / f"{number}.db"
        crash = CrashAt(point, occurrence=occurrence)
        with pytest.raises(Crash):
            await _register(sandbox, path, crash)
        assert crash.crashed
        await _register(sandbox, path, NONE)
        assert _standing(sandbox) == undisturbed, f"{point}*{occurrence}"
