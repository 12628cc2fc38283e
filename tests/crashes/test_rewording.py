"""Rewording every text changes no behaviour: whole scenarios end alike, however worded."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from kernel.failpoints import NONE
from tests.crashes import guard_scenarios, test_pass_crashes
from tests.crashes.acts import perform
from tests.crashes.end_state import EndState, end_state
from tests.crashes.guarded_organization import GuardedOrganization, database_url
from tests.crashes.synced_organization import SyncedOrganization
from tests.rewording import Rewording


@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", guard_scenarios.SCENARIOS)
async def test_the_guard_decides_by_no_text(
    guarded: GuardedOrganization, tmp_path: Path, name: str
) -> None:
    play = guard_scenarios.SCENARIOS[name].scenario
    await perform(guarded, database_url(tmp_path / "as-worded.db"), play)
    expected = end_state(guarded)
    await guarded.stop()
    url = database_url(tmp_path / "reworded.db")
    rewording = Rewording(url)
    await perform(guarded, url, play, rewording)
    rewording.close()
    assert rewording.count
    assert _untold(end_state(guarded)) == _untold(expected)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", test_pass_crashes.PLAYS)
async def test_the_sync_decides_by_no_text(
    synced: SyncedOrganization, tmp_path: Path, name: str
) -> None:
    play = test_pass_crashes.PLAYS[name]
    as_worded = database_url(tmp_path / "as-worded.db")
    await test_pass_crashes.perform(synced, as_worded, play, NONE)
    expected = synced.end_state()
    await synced.stop()
    url = database_url(tmp_path / "reworded.db")
    rewording = Rewording(url)
    await test_pass_crashes.perform(synced, url, play, rewording)
    rewording.close()
    assert rewording.count
    assert _without_reasons(synced.end_state()) == _without_reasons(expected)


def _untold(state: EndState) -> Any:
    """Return an end state without its sentences: what is held, written and left is the same."""
    return {
        **asdict(state),
        "approvals": {one: values[:-1] for one, values in state.approvals.items()},
        "refusals": sorted(state.refusals),
        "ended_badly": [(kind, task_state) for kind, task_state, _ in state.ended_badly],
    }


def _without_reasons(state: dict[str, Any]) -> Any:
    held = {one: values[:-1] for one, values in state["approvals"].items()}
    return {**state, "approvals": held}
