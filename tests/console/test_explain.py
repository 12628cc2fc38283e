"""`policy explain` tells why, for a file and for a recorded decision, and what if."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from guard.ledger.stored import mask
from kernel.clock import FrozenClock
from kernel.database import Database
from rules.load.loader import load
from rules.model.change import Change, Facts
from tests.conftest import NOON
from tests.console.conftest import TEST, Run
from tests.console.recording import RULE, a_folder, recorded

CHANGE = """
operation: update
entity: mailbox
now: 2026-11-23T10:00:00Z
old: {emailaddress: anna@contoso.com, approval: empty, owner: {id: u1, type: user,
      upn: anna@contoso.com}}
new: {emailaddress: bob@contoso.com}
actor: {id: a9, upn: ops@contoso.com, kind: user}
"""
BEFORE = {"emailaddress": "anna@contoso.com", "emailrouteraccessapproval": 0}
FACTS = Facts(
    {
        "new.owner.id": "u1", "new.owner.type": "user", "new.owner.upn": "anna@contoso.com",
        "actor.upn": "ops@contoso.com",
    }
)  # fmt: skip
BOB = {**BEFORE, "emailaddress": "bob@contoso.com"}
TO_BOB = Change("mailbox", "update", "r1", BEFORE, BOB, frozenset({"emailaddress"}))


@pytest.fixture
def change(tmp_path: Path) -> Path:
    path = tmp_path / "change.yaml"
    path.write_text(CHANGE)
    return path


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = a_folder(tmp_path / "policies")
    monkeypatch.setenv("MAILBOX_GUARD_POLICIES_DIR", str(folder))
    return folder


@pytest.fixture
async def decision_id(guard_database: Database, clock: FrozenClock, folder: Path) -> str:
    (found,) = await recorded(guard_database, clock, load(folder), [(TO_BOB, FACTS)])
    return found


def test_a_rejection_is_told_with_values_and_source_lines(
    run: Run, change: Path, folder: Path
) -> None:
    done = run("policy", "explain", change)
    assert done.code == 1
    lines = done.out.splitlines()
    assert lines[0].startswith("REJECT  mailbox ")
    assert "by ops@contoso.com" in lines[0]
    heading = next(line for line in lines if line.startswith(f"x {RULE}  (critical)"))
    file, _, number = heading.rsplit(maxsplit=1)[1].partition(":")
    source = (folder / file).read_text("utf-8").splitlines()
    assert "id: same-as-owner" in source[int(number) - 1]
    test = next(line for line in lines if "equals new.owner.upn (any case)" in line)
    assert '"bob@contoso.com"  "anna@contoso.com"' in test
    assert test.split()[-2] == "no"
    assert source[int(test.rsplit(":", 1)[1]) - 1].strip().startswith("equals:")
    assert any(line.startswith("  fix  Set the address") for line in lines)


def test_what_if_another_value_had_been_there(run: Run, change: Path) -> None:
    done = run("policy", "explain", change, "--set", "address=Anna@Contoso.com")
    assert (done.code, done.out.split()[0]) == (0, "ALLOW")
    done = run("policy", "explain", change, "--set", "owner.type=queue", "--rule", RULE)
    assert "unless new.owner.type is in [queue, team]" in done.out
    assert "does not apply" in done.out


def test_what_the_file_does_not_say_is_named(run: Run, change: Path) -> None:
    change.write_text(CHANGE.replace("type: user,", ""))
    done = run("policy", "explain", change)
    assert done.code == 1
    assert "The file does not say: new.owner.type.\n" in done.out
    told = json.loads(run("policy", "explain", change, "--output", "json").out)
    assert told["not_given"] == ["new.owner.type"]
    given = run("policy", "explain", change, "--set", "owner.type=queue")
    assert "does not say" not in given.out
    away = run("policy", "explain", change, "--set", "missing.owner.type=Entra is away")
    assert "does not say" not in away.out


def test_one_rule_can_be_told_alone_and_as_json(run: Run, change: Path) -> None:
    done = run("policy", "explain", change, "--rule", "same-as-owner", "--output", "json")
    told = json.loads(done.out)
    assert told["decision"] == "reject"
    ((rule,),) = [policy["rules"] for policy in told["policies"]]
    assert (rule["id"], rule["result"], rule["contributes"]) == (RULE, "failed", "reject")
    assert rule["require"][0]["answer"] == "no"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--rule", "same-as-ownr"], "same-as-owner"),
        (["--set", "adress=x"], "address"),
        (["--set", "approval=aproved"], "approved"),
        (["--set", "no-equals"], "PATH=VALUE"),
        (["--set", "address=[", "--now", "2026-01-01"], "--set address"),
        (["--now", "soon"], "soon"),
    ],
)
def test_what_cannot_be_understood_is_named(
    run: Run, change: Path, options: list[str], told: str
) -> None:
    done = run("policy", "explain", change, *options)
    assert (done.code, done.out) == (2, "")
    assert told in done.err


def test_a_recorded_decision_is_explained_by_its_own_set(run: Run, decision_id: str) -> None:
    done = run("policy", "explain", decision_id)
    assert done.code == 1
    assert f"decision {decision_id}" in done.out.splitlines()[0]
    assert f"x {RULE}" in done.out
    told = json.loads(run("policy", "explain", decision_id.upper(), "--output", "json").out)
    assert told["recorded"] == {"id": decision_id, "decision": "reject", "rules": [RULE]}


def test_a_recorded_decision_can_be_explained_by_other_policies(
    run: Run, decision_id: str, tmp_path: Path
) -> None:
    (tmp_path / "others").mkdir()
    done = run("policy", "explain", decision_id, "--policies", tmp_path / "others")
    assert (done.code, done.out.split()[0]) == (0, "ALLOW")
    assert "By these policies the answer is allow; recorded was reject." in done.out


def test_an_exported_decision_is_explained_from_its_file(
    run: Run, decision_id: str, tmp_path: Path
) -> None:
    file = tmp_path / "decision.json"
    file.write_text(run("decisions", "show", decision_id, "--output", "json").out)
    told = run("policy", "explain", file)
    assert told.code == 1
    assert f"decision {decision_id}" in told.out
    assert "does not say" not in told.out
    assert "only confirms" not in told.out
    stripped = json.loads(file.read_text())
    del stripped["private"]
    file.write_text(json.dumps(stripped))
    done = run("policy", "explain", file)
    assert (done.code, "exported without its private part" in done.err) == (2, True)


def test_a_masked_decision_cannot_be_explained_and_says_so(
    run: Run, decision_id: str, guard_database: Database
) -> None:
    guard_database.write_now(lambda c: mask(c, decision_id, now=NOON), failpoint=TEST)
    done = run("policy", "explain", decision_id)
    assert (done.code, done.out) == (2, "")
    assert "its private part was masked" in done.err


@pytest.mark.usefixtures("guard_database")
def test_what_is_neither_a_file_nor_a_decision_is_named(run: Run) -> None:
    done = run("policy", "explain", "nowhere.yaml")
    assert done.code == 2
    assert "neither a file nor the id of a decision" in done.err
    unknown = "01234567-89ab-7cde-8123-456789abcdef"
    done = run("policy", "explain", unknown)
    assert (done.code, done.out) == (1, "")
    assert unknown in done.err
