"""`decisions replay` decides a recorded change again, by the policies recorded with it."""

from __future__ import annotations

import json
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
