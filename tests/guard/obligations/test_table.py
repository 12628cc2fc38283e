"""Every obligation: its words, its payload, and that a decision owes it once.

By which decision one is owed its own test says, as OWED_BY.
"""

from __future__ import annotations

import importlib
import json
from dataclasses import replace
from typing import Any

import pytest

from guard.case import (
    FROM_DELIVERY,
    FROM_EXAMINATION,
    FROM_GRANT,
    FROM_RECONCILIATION,
    SEEN_LANE,
)
from guard.consequences import Committed, Refusal
from guard.obligations.obligation import Obligation
from guard.obligations.table import OBLIGATIONS, TELLING, handlers, owed_by
from kernel.clock import FrozenClock
from kernel.database import Database
from kernel.tasks import COMMON_LANE
from rules.model.decision import Outcome
from tests.guard.assembled import a_guard
from tests.guard.obligations.decided import DECISION_ID, a_case

every_obligation = pytest.mark.parametrize("obligation", OBLIGATIONS, ids=lambda one: one.kind)


def decision_that_owes(obligation: type[Obligation[Any]]) -> Committed:
    test = importlib.import_module(f"tests.guard.obligations.test_{obligation.kind}")
    found = test.OWED_BY
    assert isinstance(found, Committed)
    return found


@every_obligation
def test_it_says_what_it_is(obligation: type[Obligation[Any]]) -> None:
    assert obligation.kind.isidentifier()
    assert obligation.doc.endswith(".")
    assert obligation.__module__ == f"guard.obligations.{obligation.kind}"


def test_no_two_have_the_same_kind() -> None:
    kinds = [one.kind for one in OBLIGATIONS]
    assert len(set(kinds)) == len(kinds)


@every_obligation
def test_a_decision_owes_it_once(obligation: type[Obligation[Any]]) -> None:
    owed = [one for one in owed_by(decision_that_owes(obligation)) if one.kind == obligation.kind]
    assert [one.key for one in owed] == [DECISION_ID]


@pytest.mark.parametrize(
    ("source", "lane"),
    [
        (FROM_DELIVERY, COMMON_LANE),
        (FROM_EXAMINATION, COMMON_LANE),
        (FROM_GRANT, COMMON_LANE),
        (FROM_RECONCILIATION, SEEN_LANE),
    ],
)
def test_only_what_the_guard_saw_itself_is_owed_in_a_lane_apart(source: str, lane: str) -> None:
    for obligation in OBLIGATIONS:
        decided = decision_that_owes(obligation)
        decided = replace(decided, case=replace(decided.case, source=source))
        owed = owed_by(decided, without=TELLING)
        assert {one.place.lane for one in owed} <= {lane}
        assert owed or obligation.only_tells


def test_what_only_tells_waits_behind_nothing_that_mends() -> None:
    for obligation in OBLIGATIONS:
        for source in (FROM_DELIVERY, FROM_RECONCILIATION):
            is_apart = obligation.lane(source) not in (COMMON_LANE, SEEN_LANE)
            assert is_apart == obligation.only_tells


def test_a_refusal_before_the_commit_owes_no_more_than_that_it_is_told() -> None:
    refusal = Refusal(a_case(), DECISION_ID, Outcome.REJECT)
    assert {one.kind for one in owed_by(refusal)} == set(TELLING)
    assert owed_by(refusal, without=TELLING) == ()


@every_obligation
def test_what_it_remembers_survives_the_database(obligation: type[Obligation[Any]]) -> None:
    owed = obligation.owed_by(decision_that_owes(obligation))
    assert type(owed) is obligation.payload
    assert obligation.payload.from_json(json.loads(json.dumps(owed.to_json()))) == owed


def test_each_has_somebody_who_carries_it_out(database: Database, clock: FrozenClock) -> None:
    means = a_guard(database, clock).parts.means
    assert set(handlers(means)) == {one.kind for one in OBLIGATIONS}
