"""`decisions mask` and `decisions prune`: planned first, with a name, provable afterwards."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from console.wiring.retention import Retention
from guard.ledger.stored import StoredLedger
from guard.ledger.verify import verify
from kernel import acts, ids
from kernel.clock import FrozenClock
from kernel.database import Database
from kernel.settings import Settings
from rules.load.loader import load
from rules.model.change import Change, Facts
from tests.console.conftest import Run
from tests.console.recording import a_folder, recorded

FACTS = Facts({"new.owner.type": "user", "new.owner.upn": "anna@contoso.com"})
BEFORE = {"emailaddress": "old@contoso.com"}
TO_BOB = Change(
    "mailbox", "update", "r1", BEFORE, {"emailaddress": "bob@contoso.com"}, frozenset(BEFORE)
)
WHY = ("--reason", "Plan 7", "--by", "Robin")


@pytest.fixture
async def three(
    guard_database: Database, clock: FrozenClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    """Three rejected edits of the year 2024."""
    monkeypatch.setattr(ids, "_last", [0, 0])
    clock.advance(-2 * 365 * 86_400)
    policy_set = load(a_folder(tmp_path / "policies"))
    found = await recorded(guard_database, clock, policy_set, [(TO_BOB, FACTS)] * 3)
    await StoredLedger(guard_database, clock).make_checkpoint()
    return found


def test_masking_is_planned_then_done_and_named(
    run: Run, three: list[str], guard_database: Database
) -> None:
    done = run("decisions", "mask", "--before", "2025-06-01", *WHY, "--plan")
    assert (done.code, done.out) == (0, "3 decisions would be masked.\n")
    assert "old@contoso.com" in run("decisions", "show", three[0]).out
    done = run("decisions", "mask", "--before", "2025-06-01", *WHY, "--output", "json")
    told = json.loads(done.out)
    assert (done.code, told["done"], told["kept"]) == (0, 3, {})
    assert "contoso" not in run("decisions", "show", three[0]).out
    assert "3 masked" in run("decisions", "verify").out
    first, *_ = guard_database.read_now(
        lambda c: [one.private for one in acts.walk(c) if one.private]
    )
    assert '"by":"Robin"' in first
    done = run("decisions", "replay")
    assert done.code == 2
    assert "not replayed  3  its private part was masked" in done.out


def test_pruning_is_planned_then_done(run: Run, three: list[str]) -> None:
    anchors = Path("anchors.jsonl")
    anchors.write_text(run("decisions", "anchor").out)
    done = run("decisions", "prune", "--before", "2025-06-01", *WHY, "--plan")
    assert (done.code, done.out) == (0, "3 decisions would be pruned.\n")
    done = run("decisions", "prune", "--before", "2025-06-01", *WHY)
    assert (done.code, done.out) == (0, "3 decisions pruned.\n")
    assert json.loads(run("decisions", "list", "--output", "json").out) == []
    done = run("decisions", "verify", "--against", anchors)
    assert (done.code, "3 pruned" in done.out) == (0, True), done.out


@pytest.mark.parametrize("verb", ["mask", "prune"])
def test_what_is_young_is_refused_and_a_reason_is_asked_for(run: Run, verb: str) -> None:
    done = run("decisions", verb, "--before", "1h", *WHY)
    assert done.code == 2
    assert "days cannot be" in done.err
    assert run("decisions", verb, "--before", "2025-06-01", "--by", "Robin").code == 2
    assert run("decisions", verb, "--before", "2025-06-01", "--reason", " ").code == 2


async def test_the_settings_order_it_while_a_process_serves(
    guard_database: Database, clock: FrozenClock, three: list[str]
) -> None:
    nothing = Settings()
    assert not Retention(nothing, guard_database, clock).is_asked_for
    clock.advance(380 * 86_400)
    # A span of seconds is a mistake, and does not reach what is younger than allowed.
    retention = Retention(replace(nothing, private_retention_days=1e-6), guard_database, clock)
    assert retention.is_asked_for
    await retention.look()
    verdict = guard_database.read_now(verify)
    assert (verdict.is_whole, verdict.masked, verdict.pruned) == (True, 3, 0)
    both = replace(nothing, private_retention_days=20.0, record_retention_days=370.0)
    await Retention(both, guard_database, clock).look()
    verdict = guard_database.read_now(verify)
    assert (verdict.is_whole, verdict.masked, verdict.pruned) == (True, 0, 3)
