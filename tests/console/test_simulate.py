"""`policy simulate` and `policy diff` on a ledger and on files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from console.policy.simulate import State, simulate_all
from guard.ledger.entry import sealed
from guard.ledger.stored import mask
from kernel.clock import FrozenClock
from kernel.database import Database
from rules.load.loader import load
from rules.model.change import Change, Facts
from tests.conftest import NOON
from tests.console.conftest import TEST, Run
from tests.console.recording import POLICY, RULE, a_folder, an_entry, as_row, recorded

FACTS = Facts({"new.owner.type": "user", "new.owner.upn": "anna@contoso.com"})
STRICTER = POLICY.replace("\n    unless:\n      - field: owner.type\n        in: [queue, team]", "")
LOOSER = POLICY.replace("mode: enforce\n", "").replace("match:", "mode: audit\nmatch:", 1)


def a_move(to: str) -> Change:
    before = {"emailaddress": "old@contoso.com", "emailrouteraccessapproval": 0}
    after = {**before, "emailaddress": to}
    return Change("mailbox", "update", "r1", before, after, frozenset({"emailaddress"}))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return a_folder(tmp_path / "policies")


@pytest.fixture
async def ids(guard_database: Database, clock: FrozenClock, folder: Path) -> list[str]:
    """Three decisions: allowed, rejected, and allowed because a queue owns the row."""
    queue = Facts({**FACTS.values, "new.owner.type": "queue"})
    given = [
        (a_move("Anna@contoso.com"), FACTS),
        (a_move("bob@contoso.com"), FACTS),
        (a_move("sales@contoso.com"), queue),
    ]
    return await recorded(guard_database, clock, load(folder), given)


@pytest.mark.usefixtures("ids")
def test_the_same_policies_change_nothing(run: Run, folder: Path) -> None:
    done = run("policy", "simulate", "--policies", folder)
    assert done.code == 0
    assert done.out == (
        "3 recorded changes replayed, 0 with another answer, 0 with the same answer by other "
        "rules, 0 that can't be replayed.\n"
    )


def test_only_what_differs_is_shown_with_its_rule_and_a_sample(
    run: Run, ids: list[str], tmp_path: Path
) -> None:
    done = run("policy", "simulate", "--policies", a_folder(tmp_path / "stricter", STRICTER))
    assert done.code == 1
    lines = done.out.splitlines()
    assert lines[0] == "allow -> reject  1"
    assert lines[1] == f"  {ids[2]}  mailbox r1  {RULE}"
    assert "sales@contoso.com is not the address" in lines[2]
    assert next(line for line in lines if line.startswith(RULE)).split()[1:] == ["1", "0"]
    assert not any(ids[0] in line or ids[1] in line for line in lines)


def test_params_in_place_of_the_environments_are_tried(
    run: Run, ids: list[str], folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "softer.yaml").write_text("own-address-only: {mode: warn}\n")
    done = run("policy", "simulate", "--policies", folder, "--params", "softer.yaml", "--output",
               "json")  # fmt: skip
    told = json.loads(done.out)
    assert (done.code, list(told["cells"])) == (1, ["reject -> warn"])
    assert told["cells"]["reject -> warn"]["samples"][0]["id"] == ids[1]


def test_masked_records_are_named_and_not_guessed(
    run: Run, ids: list[str], guard_database: Database, tmp_path: Path
) -> None:
    guard_database.write_now(lambda c: mask(c, ids[2], now=NOON), failpoint=TEST)
    done = run("policy", "simulate", "--policies", a_folder(tmp_path / "stricter", STRICTER))
    assert done.code == 0
    assert f"not replayed  1  its private part was masked: {ids[2]}" in done.out
    assert "2 recorded changes replayed" in done.out


def test_since_leaves_older_changes_out(run: Run, ids: list[str], folder: Path) -> None:
    assert len(ids) == 3
    done = run("policy", "simulate", "--policies", folder, "--since", "2026-11-23T12:01:30Z")
    assert done.out.startswith("1 recorded change replayed")


def test_it_goes_on_where_it_stopped(
    run: Run, ids: list[str], folder: Path, tmp_path: Path
) -> None:
    stricter = a_folder(tmp_path / "stricter", STRICTER)
    command = ("policy", "simulate", "--policies", stricter, "--resume", "state.json")
    assert run(*command).code == 1
    state = json.loads((tmp_path / "state.json").read_text())
    assert state["tally"]["replayed"] == len(ids)
    # Nothing is replayed twice, and what was found stays found.
    again = run(*command)
    assert (again.code, again.out.splitlines()[-1].split()[0]) == (1, "3")
    other = run("policy", "simulate", "--policies", folder, "--resume", "state.json")
    assert other.code == 2
    assert "another simulation" in other.err
    (tmp_path / "state.json").write_text("{}")
    assert "not the state of a simulation" in run(*command).err


def exported(run: Run, ids: list[str]) -> list[str]:
    shown = [run("decisions", "show", one, "--output", "json").out for one in ids]
    return [json.dumps(json.loads(text)) for text in shown]


@pytest.mark.parametrize("shape", ["lines", "array", "pretty"])
def test_files_of_exported_decisions_are_replayed(
    run: Run, ids: list[str], tmp_path: Path, shape: str
) -> None:
    lines = exported(run, ids)
    text = {
        "lines": "\n".join(lines) + "\n",
        "array": f"[{','.join(lines)}]",
        "pretty": json.dumps(json.loads(lines[2]), indent=2),
    }[shape]
    (tmp_path / "log.json").write_text(text)
    stricter = a_folder(tmp_path / "stricter", STRICTER)
    done = run("policy", "simulate", "--from", "log.json", "--policies", stricter)
    assert done.code == 1
    assert f"  {ids[2]}  mailbox r1  {RULE}" in done.out


@pytest.mark.parametrize(
    ("named", "text", "told"),
    [
        (["nowhere.json"], None, "nowhere.json is not a file"),
        (["log.json"], "{'a'}\n", "log.json:1 is not an exported decision"),
        (["log.json"], "[1, 2", "log.json is not JSON"),
        (["ledger", "log.json"], "", "not both"),
    ],
)
def test_what_cannot_be_read_is_named(
    run: Run, folder: Path, tmp_path: Path, named: list[str], text: str | None, told: str
) -> None:
    if text is not None:
        (tmp_path / "log.json").write_text(text)
    options = [part for one in named for part in ("--from", one)]
    done = run("policy", "simulate", "--policies", folder, *options)
    assert (done.code, done.out) == (2, "")
    assert told in done.err


def test_folders_that_mean_the_same_are_a_yes(run: Run, folder: Path, tmp_path: Path) -> None:
    other = a_folder(tmp_path / "other", "# Said otherwise.\n" + POLICY)
    done = run("policy", "diff", folder, other)
    assert (done.code, done.out) == (0, "Both mean the same.\n")


def test_wording_is_told_and_is_a_yes(run: Run, folder: Path, tmp_path: Path) -> None:
    other = a_folder(tmp_path / "other", POLICY.replace("Set the address", "Put the address"))
    done = run("policy", "diff", folder, other)
    assert done.code == 0
    assert "(wording)" in done.out


def test_a_difference_in_meaning_is_told_in_words_and_a_no(
    run: Run, folder: Path, tmp_path: Path
) -> None:
    done = run("policy", "diff", folder, a_folder(tmp_path / "stricter", STRICTER))
    assert done.code == 1
    assert done.out == (
        f"~ {RULE}\n    unless: no longer new.owner.type is in [queue, team]\n"
        "1 difference in meaning.\n"
    )


def test_a_log_shows_which_decisions_differ(run: Run, ids: list[str], folder: Path,
                                            tmp_path: Path) -> None:  # fmt: skip
    looser = a_folder(tmp_path / "looser", LOOSER)
    done = run("policy", "diff", folder, looser, "--from", "ledger", "--output", "json")
    told = json.loads(done.out)
    assert done.code == 1
    assert told["differences"][0]["words"] == "mode: enforce -> audit"
    assert told["decisions"]["cells"]["reject -> allow"]["samples"][0]["id"] == ids[1]


def test_a_folder_that_does_not_load_is_named(run: Run, folder: Path, tmp_path: Path) -> None:
    broken = a_folder(tmp_path / "broken", POLICY.replace("equals", "eqals"))
    done = run("policy", "diff", folder, broken)
    assert (done.code, done.out) == (2, "")
    assert "[operator-unknown]" in done.err


class Interrupted(Exception):
    """What stops a simulation in the middle."""


class Breaking:
    """A source that breaks after some batches, as a process does that is killed."""

    def __init__(self, rows: list[Any], *, after: int | None) -> None:
        self.rows = rows
        self.breaks_after = after

    def feed(self, make: Any, *, after: str, moved: Any) -> Any:
        """Feed a row at a time."""
        simulation = make(None)
        for place in range(int(after or 0), len(self.rows)):
            if self.breaks_after is not None and place >= self.breaks_after:
                raise Interrupted
            simulation.take_rows([self.rows[place]])
            moved(str(place + 1), place + 1, len(self.rows))
        return simulation


def test_a_simulation_that_broke_off_counts_nothing_twice(folder: Path, tmp_path: Path) -> None:
    policy_set = load(folder)
    stricter = load(a_folder(tmp_path / "stricter", STRICTER))
    queue = Facts({**FACTS.values, "new.owner.type": "queue"})
    rows = []
    for number in range(70):
        entry = an_entry(a_move(f"a{number}@contoso.com"), queue, policy_set, now=NOON)
        rows.append(as_row(sealed(entry)))
    state = tmp_path / "state.json"

    with pytest.raises(Interrupted):
        simulate_all(Breaking(rows, after=55), stricter, State(state, {"of": "this"}))
    saved = json.loads(state.read_text())
    assert 0 < int(saved["place"]) == saved["tally"]["replayed"] <= 55
    tally = simulate_all(Breaking(rows, after=None), stricter, State(state, {"of": "this"}))

    assert (tally.replayed, tally.differing) == (70, 70)
    assert tally == simulate_all(Breaking(rows, after=None), stricter, State(None, {}))
