"""Anchors are kept as notes in Dataverse, seldom, and verified from there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from console.anchor_notes import SUBJECT, AnchorNotes
from console.anchoring import Anchoring
from console.wiring.connections import Connections, connect_guard
from guard.ledger.verify import verify
from kernel.clock import FrozenClock, SystemClock
from kernel.database import Database
from kernel.errors import GuardError, InputRefused
from kernel.settings import PREFIX, Settings, load
from sandbox.faults import PlannedFault
from sandbox.server import Sandbox
from tests.console.conftest import Run
from tests.guard.ledger.test_stored import StoredLedger, an_entry


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox() as running:
        yield running


@pytest.fixture
def settings(sandbox: Sandbox, tmp_path: object) -> Settings:
    return load(sandbox.settings() | {f"{PREFIX}DATA_DIR": f"{tmp_path}/data"}, None)


@pytest.fixture
async def connections(settings: Settings) -> AsyncIterator[Connections]:
    connected = connect_guard(settings, SystemClock())
    yield connected
    await connected.aclose()


async def test_an_anchor_an_hour_is_a_note_and_proves_the_ledger(
    guard_database: Database,
    settings: Settings,
    connections: Connections,
    clock: FrozenClock,
    sandbox: Sandbox,
) -> None:
    await StoredLedger(guard_database, clock).record(an_entry(clock))
    anchoring = Anchoring(settings, guard_database, clock)
    notes = AnchorNotes(connections.dataverse, clock, every_seconds=3600)
    with pytest.raises(InputRefused, match="no note of an anchor"):
        await notes.read()
    anchoring.notes = notes
    for _ in range(3):
        await anchoring.look_and_append()
        clock.advance(1800)
    kept = sandbox.dataverse.store.all("annotation")
    assert [row["subject"] for row in kept] == [SUBJECT] * 2
    found = await notes.read()
    assert [one.made_at for one in found] == sorted(one.made_at for one in found)
    assert guard_database.read_now(lambda c: verify(c, found)).is_whole
    assert anchoring.lacking == ()


async def test_what_dataverse_does_not_take_is_told_and_tried_again(
    guard_database: Database,
    settings: Settings,
    connections: Connections,
    clock: FrozenClock,
    sandbox: Sandbox,
) -> None:
    anchoring = Anchoring(settings, guard_database, clock)
    anchoring.notes = AnchorNotes(connections.dataverse, clock, every_seconds=3600)
    sandbox.faults.add(PlannedFault("dataverse", "annotations", status=403, times=1))
    with pytest.raises(GuardError):
        await anchoring.look_and_append()
    assert len(anchoring.lacking) == 1
    assert len(settings.anchor_file.read_text().splitlines()) == 1
    await anchoring.look_and_append()
    assert anchoring.lacking == ()
    assert len(sandbox.dataverse.store.all("annotation")) == 1


async def test_the_command_reads_them_there(
    guard_database: Database,
    settings: Settings,
    connections: Connections,
    clock: FrozenClock,
    sandbox: Sandbox,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    anchoring = Anchoring(settings, guard_database, clock)
    await StoredLedger(guard_database, clock).record(an_entry(clock))
    anchoring.notes = AnchorNotes(connections.dataverse, clock, every_seconds=3600)
    await anchoring.look_and_append()
    for name, value in sandbox.settings().items():
        monkeypatch.setenv(name, value)
    done = await asyncio.to_thread(run, "decisions", "verify", "--against", "dataverse")
    assert (done.code, "against 1 anchor" in done.out) == (0, True), done.err
