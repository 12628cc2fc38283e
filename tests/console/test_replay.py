"""`decisions replay` decides a recorded change again, by the policies recorded with it."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from guard.ledger.stored import mask
from kernel.clock import FrozenClock
from kernel.database import Database
from rules.load.loader import load
from rules.model.change import Change, Facts
from tests.conftest import NOON
from tests.console.conftest import TEST, Run
from tests.console.recording import RULE, a_folder, recorded

FACTS = Facts({"new.owner.type": "user", "new.owner.upn": "anna@contoso.com"})
BEFORE = {"emailaddress": "old@contoso.com"}
TO_BOB = Change(
    "mailbox", "update", "r1", BEFORE, {"emailaddress": "bob@contoso.com"}, frozenset(BEFORE)
)


@pytest.fixture
async def decision_id(guard_database: Database, clock: FrozenClock, tmp_path: Path) -> str:
    policy_set = load(a_folder(tmp_path / "policies"))
    (found,) = await recorded(guard_database, clock, policy_set, [(TO_BOB, FACTS)])
    return found


def test_the_same_comes_out_whatever_the_folder_says_now(run: Run, decision_id: str) -> None:
    done = run("decisions", "replay", decision_id)
    assert done.code == 0
    assert done.out.startswith(f"The same: reject by {RULE}, policy set ")
    assert json.loads(run("decisions", "replay", decision_id, "--output", "json").out)["same"]


def test_another_outcome_than_recorded_is_a_no(
    run: Run, decision_id: str, guard_database: Database
) -> None:
    statement = text("UPDATE guard_decisions SET decision = 'allow'")
    guard_database.write_now(lambda c: c.execute(statement), failpoint=TEST)
    done = run("decisions", "replay", decision_id)
    assert done.code == 1
    assert f"recorded is allow by {RULE}, decided again reject" in done.out


def test_what_is_not_kept_cannot_be_decided_again(
    run: Run, decision_id: str, guard_database: Database
) -> None:
    guard_database.write_now(
        lambda c: c.execute(text("DELETE FROM guard_policy_sets")), failpoint=TEST
    )  # fmt: skip
    done = run("decisions", "replay", decision_id)
    assert done.code == 2
    assert "isn't recorded" in done.err
    guard_database.write_now(lambda c: mask(c, decision_id, now=NOON), failpoint=TEST)
    done = run("decisions", "replay", decision_id)
    assert done.code == 2
    assert "its private part was masked" in done.err


@pytest.fixture
async def three(guard_database: Database, clock: FrozenClock, tmp_path: Path) -> list[str]:
    policy_set = load(a_folder(tmp_path / "policies"))
    changes = [(TO_BOB, FACTS)] * 3
    return await recorded(guard_database, clock, policy_set, changes)


def counted(run: Run, *options: str) -> tuple[int, int, int, int]:
    """Return the exit code, and how many came out the same, otherwise, and could not be decided."""
    done = run("decisions", "replay", *options, "--output", "json")
    told = json.loads(done.out)
    return done.code, told["same"], told["otherwise"], told["not_evaluable"]


def test_a_range_is_decided_again_and_counted(run: Run, three: list[str]) -> None:
    assert counted(run) == (0, 3, 0, 0)
    second = (NOON + timedelta(seconds=60)).isoformat()
    third = (NOON + timedelta(seconds=120)).isoformat()
    assert counted(run, "--since", second) == (0, 2, 0, 0)
    assert counted(run, "--since", second, "--until", third) == (0, 1, 0, 0)
    text = run("decisions", "replay").out
    assert "3 recorded changes replayed, 0 with another answer" in text


def test_in_a_range_what_differs_and_what_is_lacking_are_apart(
    run: Run, three: list[str], guard_database: Database
) -> None:
    guard_database.write_now(lambda c: mask(c, three[0], now=NOON), failpoint=TEST)
    assert counted(run) == (0, 2, 0, 1)
    statement = text("UPDATE guard_decisions SET decision = 'allow' WHERE id = :id")
    guard_database.write_now(lambda c: c.execute(statement, {"id": three[1]}), failpoint=TEST)
    assert counted(run) == (1, 1, 1, 1)
    told = run("decisions", "replay").out
    assert f"allow -> reject  1\n  {three[1]}" in told
    assert f"not replayed  1  its private part was masked: {three[0]}" in told


def test_a_range_of_which_nothing_can_be_decided_is_no_proof(
    run: Run, three: list[str], guard_database: Database
) -> None:
    statement = text("DELETE FROM guard_policy_sets")
    guard_database.write_now(lambda c: c.execute(statement), failpoint=TEST)
    assert counted(run) == (2, 0, 0, 3)
    assert "its policy set is not recorded" in run("decisions", "replay").out


def test_a_decision_or_a_range_not_both(run: Run) -> None:
    assert run("decisions", "replay", "abc", "--since", "1h").code == 2
