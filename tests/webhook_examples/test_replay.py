"""What the receiver recorded of every example can be decided again, and comes out the same."""

from __future__ import annotations

import json
from collections import Counter

import httpx
import pytest

from guard.ledger.replay import batches, find_set
from kernel.clock import FrozenClock
from kernel.database import Database
from rules.explain.explain import Explainer
from rules.load.loader import load_documents
from rules.replay.recorded import Obstacle, Unreplayable, past_from
from rules.replay.simulate import Simulation, contributing_rules, decide_again
from tests.webhook_examples.examples import all_examples
from tests.webhook_examples.test_answers import _have_begun, _post, _receiver, ledger_file
from tests.webhook_examples.world import rows

__all__ = ["ledger_file"]

_OFF = """
apiVersion: guard/v1
kind: Policy
name: not-in-force
mode: "off"
match: {entity: mailbox}
rules: [{id: nothing, require: [{field: address, exists: true}], message: m}]
"""
_LEFT_OUT = {Obstacle.NOT_JUDGED, Obstacle.OWN_LAW}


async def _record_all(database: Database, clock: FrozenClock) -> None:
    dataverse = rows()
    await _have_begun(database, dataverse, clock)
    transport = httpx.ASGITransport(app=_receiver(database, dataverse, clock))
    async with httpx.AsyncClient(transport=transport, base_url="http://guard.test") as client:
        for example in all_examples():
            await _post(client, example)


@pytest.mark.slow
async def test_every_recorded_decision_is_the_same_when_decided_again(
    ledger_file: Database,
    clock: FrozenClock,
) -> None:
    await _record_all(ledger_file, clock)
    left_out: Counter[Obstacle] = Counter()
    replayed = 0
    rows = ledger_file.read_now(lambda c: [row for batch in batches(c) for row in batch.rows])
    for row in rows:
        try:
            past = past_from(row)
        except Unreplayable as error:
            left_out[error.obstacle] += 1
            continue
        policy_set = ledger_file.read_now(lambda c, past=past: find_set(c, past.policy_set))
        assert policy_set is not None
        again = decide_again(past, policy_set)
        assert again.outcome.value == past.outcome
        assert sorted(contributing_rules(again)) == sorted(past.rules)
        stated = json.loads(row[-1])
        assert [one["message"] for one in stated.get("findings", ())] == [
            f.message for f in again.findings
        ]
        told = Explainer(policy_set).explain(past.change, past.facts, now=past.now)
        if not past.deferred:
            assert told.outcome.value == past.outcome
        replayed += 1
    assert replayed > 20
    assert set(left_out) <= {*_LEFT_OUT, Obstacle.CONFIRMS}


async def test_a_simulation_with_the_same_policies_finds_nothing(
    ledger_file: Database, clock: FrozenClock
) -> None:
    await _record_all(ledger_file, clock)

    def run(connection):
        rows = [row for batch in batches(connection) for row in batch.rows]
        digest = next(past.policy_set for row in rows if (past := _past(row)) is not None)
        same = find_set(connection, digest)
        # Another set that means the same; and nobody knows what was asked when it was recorded.
        texts = {**same.documents, "not-in-force.yaml": _OFF}
        known = Simulation(
            load_documents(texts), find_set=lambda wanted: find_set(connection, wanted)
        )
        unknown = Simulation(load_documents(texts))
        for simulation in (known, unknown):
            simulation.take_rows(rows)
        return known.tally, unknown.tally

    known, unknown = ledger_file.read_now(run)
    for tally in (known, unknown):
        assert (tally.differing, tally.other_rules, tally.cells) == (0, 0, {})
        assert tally.confirmations > 0
    assert set(known.unreplayable) <= _LEFT_OUT
    assert (known.evaluated, known.replayed > 20) == (0, True)
    assert unknown.evaluated > 20


def _past(row):
    try:
        return past_from(row)
    except Unreplayable:
        return None
