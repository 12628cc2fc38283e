"""Edits are counted by day and decision, each once."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from console.readings.days import count_day
from kernel import ids
from kernel.clock import FrozenClock
from kernel.database import Database
from rules.load.loader import load
from tests.conftest import NOON
from tests.console.recording import a_folder, recorded
from tests.console.test_replay import FACTS, TO_BOB


async def test_a_day_holds_its_own_edits(
    database: Database, clock: FrozenClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Ids never run behind those that other tests made at later moments.
    monkeypatch.setattr(ids, "_last", [0, 0])
    policy_set = load(a_folder(tmp_path / "policies"))
    await recorded(database, clock, policy_set, [(TO_BOB, FACTS)] * 3)
    clock.advance(86_400)
    await recorded(database, clock, policy_set, [(TO_BOB, FACTS)])
    days = [
        await database.read(lambda c, ago=ago: count_day(c, NOON + timedelta(days=ago)))
        for ago in (-1, 0, 1, 2)
    ]
    assert [one.total for one in days] == [0, 3, 1, 0]
    assert days[1].by_decision == {"reject": 3}
    assert days[1].day == NOON.date()
