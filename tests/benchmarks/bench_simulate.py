"""Measure how many recorded changes a second one core replays from a ledger on disk.

Figures of one run: reading alone; every change decided again by six rules (a set in which each of
them differs); the same where one of them was edited, where one policy was added, and where only
policies for other columns differ, so that nothing needs to be decided; and `decide` alone on the
same changes, the part that no reading can save.
"""

from __future__ import annotations

import gc
import re
import statistics
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from time import process_time
from typing import Any

from guard.ledger.chain import append
from guard.ledger.entry import Sealed, sealed
from guard.ledger.replay import batches
from guard.ledger.stored import _store_set
from kernel.database import Database
from kernel.failpoints import failpoint
from rules.engine.decide import decide
from rules.engine.policy_set import PolicySet
from rules.model.change import Change, Facts
from rules.replay.recorded import past_from
from rules.replay.simulate import Simulation
from rules.replay.tally import Tally
from tests.benchmarks.bench_rules import _NOW, _SIX, _policy_set, changes
from tests.console.recording import an_entry

CHANGES = 20_000
ROUNDS = 9
FILL = failpoint("tests.simulate", "A benchmark fills a ledger.")

_OTHERS = """
apiVersion: guard/v1
kind: Policy
name: other-columns
match:
  entity: mailbox
  operations: [update]
  when: [{field: statecode, changed: true}]
rules:
  - {id: stays, require: [{field: statecode, equals: active}], message: m}
"""
_RECORDED = {"policies/six-rules.yaml": _SIX, "policies/other-columns.yaml": _OTHERS}
# One operation more, so that no rule is known to decide as before.
_TRIED = {**_RECORDED, "policies/six-rules.yaml": _SIX.replace("update]", "update, delete]")}
_EDITED = {**_RECORDED, "policies/six-rules.yaml": _SIX.replace("[queue, team]", "[queue]")}
_ONE_RULE = """
apiVersion: guard/v1
kind: Policy
name: one-rule
match:
  entity: mailbox
  operations: [update]
  when: [{field: approval, becomes: approved}]
rules:
  - id: owner-is-known
    require: [{field: owner.upn, exists: true}]
    message: m
"""
_ADDED = {**_RECORDED, "policies/one-rule.yaml": _ONE_RULE}
_ELSEWHERE = {**_RECORDED, "policies/other-columns.yaml": _OTHERS.replace("[update]", "[create]")}


def _fill(database: Database, policy_set: PolicySet) -> None:
    given = changes()
    for start in range(0, CHANGES, 500):
        batch: list[Sealed] = []
        for number in range(start, start + 500):
            change, facts = _of_another(*given[number % len(given)], number)
            entry = an_entry(change, facts, policy_set, now=_NOW + timedelta(seconds=number))
            batch.append(sealed(entry))
        database.write_now(lambda c, batch=batch: append(c, "chain", batch), failpoint=FILL)
    database.write_now(lambda c: _store_set(c, policy_set, _NOW), failpoint=FILL)


def _of_another(change: Change, facts: Facts, number: int) -> tuple[Change, Facts]:
    """Return the change made to a mailbox of its own, so that nothing is known from before."""

    def renamed(values: Mapping[str, Any]) -> dict[str, Any]:
        return {
            key: re.sub("(?i)^person[0-9]", f"Person{number}", value)
            if isinstance(value, str)
            else value
            for key, value in values.items()
        }

    own = replace(change, before=renamed(change.before), after=renamed(change.after))
    return replace(own, record_id=f"r{number}"), Facts(renamed(facts.values))


def _replay(database: Database, recorded: PolicySet, tried: PolicySet) -> Tally:
    simulation = Simulation(tried, find_set=lambda digest: recorded)

    def run(connection: object) -> None:
        for batch in batches(connection):  # type: ignore[arg-type]
            simulation.take_rows(batch.rows)

    database.read_now(run)
    return simulation.tally


def _read(database: Database) -> None:
    database.read_now(lambda c: sum(len(batch.rows) for batch in batches(c)))


def _decide(database: Database, tried: PolicySet) -> float:
    """Return what `decide` alone takes, on changes fresh from the ledger."""
    spent = 0.0

    def run(connection: object) -> None:
        nonlocal spent
        for batch in batches(connection):  # type: ignore[arg-type]
            fresh = [past_from(row) for row in batch.rows]
            start = process_time()
            for past in fresh:
                decide(past.change, tried, past.facts, now=past.now)
            spent += process_time() - start

    database.read_now(run)
    return spent


def _timed(run: Callable[[], object]) -> float:
    gc.collect()
    start = process_time()
    run()
    return process_time() - start


def main() -> None:
    """Fill a ledger and replay it."""
    recorded, tried = _policy_set(_RECORDED), _policy_set(_TRIED)
    elsewhere, added = _policy_set(_ELSEWHERE), _policy_set(_ADDED)
    edited = _policy_set(_EDITED)
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{Path(folder) / 'ledger.db'}")
        database.open()
        database.create_tables()
        _fill(database, recorded)
        whole = _replay(database, recorded, tried)
        assert (whole.replayed, whole.evaluated) == (CHANGES, CHANGES), whole
        more = _replay(database, recorded, added)
        assert (more.replayed, more.evaluated, more.cells) == (CHANGES, CHANGES, {}), more
        less = _replay(database, recorded, edited)
        assert (less.replayed, less.evaluated, less.cells) == (CHANGES, CHANGES, {}), less
        same = _replay(database, recorded, elsewhere)
        assert (same.replayed, same.evaluated, same.cells) == (CHANGES, 0, {}), same
        taken: dict[str, list[float]] = {
            "read": [],
            "whole": [],
            "edited": [],
            "added": [],
            "elsewhere": [],
            "decide": [],
        }
        for _ in range(ROUNDS):
            taken["read"].append(_timed(lambda: _read(database)))
            taken["whole"].append(_timed(lambda: _replay(database, recorded, tried)))
            taken["edited"].append(_timed(lambda: _replay(database, recorded, edited)))
            taken["added"].append(_timed(lambda: _replay(database, recorded, added)))
            taken["elsewhere"].append(_timed(lambda: _replay(database, recorded, elsewhere)))
            taken["decide"].append(_decide(database, tried))
        database.close()
    for name, words in (
        ("read", "read from the ledger, nothing else"),
        ("whole", "replayed, each decided by six rules"),
        ("edited", "replayed, one rule of six is edited"),
        ("added", "replayed, one policy that matches is new"),
        ("elsewhere", "replayed, policies elsewhere differ"),
        ("decide", "of this: decide alone"),
    ):
        middle, best = statistics.median(taken[name]), min(taken[name])
        print(
            f"{words:42} {CHANGES / middle:10,.0f} changes/s of one core"
            f"   best {CHANGES / best:10,.0f}   {best / CHANGES * 1e6:6.2f} us"
        )
    print("(reach: 100,000 changes/s)")


if __name__ == "__main__":
    main()
