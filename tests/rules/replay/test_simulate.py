"""Replaying under another set: what is told is what deciding anew gives, and nothing is guessed."""

from __future__ import annotations

import json
from datetime import timedelta
from types import MappingProxyType

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guard.ledger.entry import sealed
from rules.engine.decide import decide
from rules.model.change import Change, Facts
from rules.model.decision import Outcome
from rules.model.errors import RecordUnreadable
from rules.replay.recorded import Obstacle, Unreplayable, past_from, read_line
from rules.replay.simulate import Simulation
from rules.replay.tally import Tally
from tests.console.recording import an_entry, as_row
from tests.rules.builders import NOW, a_change, a_policy, a_set, facts
from tests.rules.test_properties import _POLICIES, _changes, _texts

_QUIET = settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow]
)  # fmt: skip
_NAMED = "{id: the-rule, require: [{field: name, in: [Anna, Bob]}], message: 'not {name}'}"
_OLD = a_set(a_policy(_NAMED), a_policy(_NAMED, name="two-policy", mode="warn"))
_NEW = a_set(a_policy(_NAMED.replace("Bob", "Carl")), a_policy(_NAMED, name="two-policy",
             mode="warn"))  # fmt: skip


def _row(change: Change, known: Facts, policy_set=_OLD, *, mask: bool = False):
    return as_row(sealed(an_entry(change, known, policy_set, now=NOW)), mask=mask)


def _line(row):
    """Return a row as an export writes it."""
    decision_id, _, decision, table, record_id, public, private = row
    head = {"id": decision_id, "decided_at": NOW.isoformat(), "decision": decision}
    head |= {"table": table, "record_id": record_id}
    return head | json.loads(public) | {"private": json.loads(private)}


def _named(name: str, **more):
    return a_change(before={"name": "Zoe", **more}, name=name)


def _simulate(rows, policy_set=_NEW, **more) -> Tally:
    simulation = Simulation(policy_set, **more)
    simulation.take_rows(rows)
    return simulation.tally


def test_only_differences_are_told_by_cell_and_by_rule():
    rows = [_row(_named(name), facts()) for name in ("Anna", "Bob", "Carl", "Dora")]
    tally = _simulate(rows)
    assert (tally.replayed, tally.differing, tally.other_rules) == (4, 2, 0)
    assert {key: cell.count for key, cell in tally.cells.items()} == {
        "allow -> reject": 1,
        "reject -> warn": 1,
    }
    sample = tally.cells["allow -> reject"].samples[0]
    assert sample["id"] == rows[1][0]
    assert sample["messages"] == ["not Bob"]
    shift = tally.rules["one-policy/the-rule"]
    assert (shift.now, shift.no_longer) == (1, 1)


def test_what_the_same_policies_decide_is_not_decided_again():
    rows = [_row(_named("Anna"), facts()), _row(_named("Dora"), facts())]
    same = a_set(*[text for text in _OLD.documents.values() if "Policy" in text])
    tally = _simulate(rows, same, find_set=lambda digest: _OLD)
    assert (tally.replayed, tally.evaluated, tally.cells) == (2, 0, {})
    assert _simulate(rows, _OLD).evaluated == 0
    assert _simulate(rows, _NEW).evaluated == 2


def test_a_masked_record_is_named_and_never_guessed():
    row = _row(_named("Bob"), facts(), mask=True)
    tally = _simulate([row])
    assert tally.replayed == 0
    assert tally.unreplayable["its private part was masked"].samples == [{"id": row[0]}]


def test_what_no_policy_judged_and_what_the_guard_itself_decided_are_set_apart():
    row = _row(_named("Bob"), facts())
    *head, public, private = row
    own = {**json.loads(public), "rules": ["guard/unattributed-approval"]}
    unjudged = {name: value for name, value in json.loads(private).items() if name != "before"}
    tally = _simulate(
        [("a", *head[1:], public, json.dumps(unjudged)), ("b", *head[1:], json.dumps(own), private)]
    )
    assert {reason: cell.samples[0]["id"] for reason, cell in tally.unreplayable.items()} == {
        "no policy judged it": "a",
        "a law of the guard itself decided it": "b",
    }


_UPN = "{id: the-rule, require: [{field: owner.upn, exists: true}], message: m}"


def test_a_fact_that_nobody_recorded_is_not_taken_for_an_error():
    needing = a_set(a_policy(_UPN))
    tally = _simulate([_row(_named("Bob"), facts())], needing)
    assert list(tally.unreplayable) == ["new.owner.upn was not recorded"]
    assert (tally.replayed, tally.differing) == (0, 0)


def test_a_fact_that_was_asked_for_and_not_had_is_lacking_again():
    recorded = a_set(a_policy(_UPN, mode="warn"))
    row = _row(_named("Bob"), facts(), recorded)
    enforced = a_set(a_policy(_UPN))
    told = _simulate([row], enforced, find_set=lambda digest: recorded)
    assert (list(told.cells), told.unreplayable) == (["allow -> reject"], {})
    assert list(_simulate([row], enforced).unreplayable) == ["new.owner.upn was not recorded"]


def test_a_confirmation_is_not_decided_a_second_time():
    row = _row(_named("Bob"), facts())
    _, *head, public, private = row
    public = json.dumps({**json.loads(public), "confirms": "an earlier one"})
    tally = _simulate([row, ("b", *head, public, private), ("c", *head, public, None)])
    assert (tally.replayed, tally.confirmations, tally.unreplayable) == (1, 2, {})


def test_a_fact_that_was_missing_then_is_missing_again():
    known = Facts({}, {"new.owner.upn": "Dataverse did not answer"})
    tally = _simulate([_row(_named("Bob"), known)], a_set(a_policy(_UPN)))
    assert list(tally.cells) == ["allow -> reject"]


def test_a_rejection_is_certain_whatever_else_is_not_known():
    both = a_set(a_policy(_UPN, name="two-policy"), a_policy(_NAMED))
    tally = _simulate([_row(_named("Dora"), facts())], both)
    assert tally.unreplayable == {}
    assert tally.replayed == 1


def test_what_audits_only_is_no_doubt():
    tally = _simulate([_row(_named("Bob"), facts())], a_set(a_policy(_UPN, mode="audit")))
    assert (tally.replayed, tally.unreplayable) == (1, {})


def test_a_deferred_decision_is_deferred_again():
    change = a_change(operation="create", name="Bob")
    known = Facts({}, {"new.owner.upn": "not readable yet"})
    item = sealed(an_entry(change, known, _OLD, now=NOW))
    public = {**json.loads(item.public), "rules": [], "deferred": ["x/y"]}
    row = (*as_row(item)[:2], "allow", *as_row(item)[3:5], json.dumps(public), item.private)
    tally = _simulate([row], a_set(a_policy(_UPN)))
    assert (tally.replayed, tally.cells) == (1, {})


def test_moments_and_lists_come_back_as_they_were():
    change = a_change(before={"name": "Zoe", "modifiedon": NOW}, name="Anna")
    known = facts(actor__roles=("Service Desk",), facts__at=NOW - timedelta(days=1))
    row = _row(change, known)
    past = past_from(row)
    assert (past.change, past.facts, past.now) == (change, known, NOW)


def test_an_exported_line_is_read_like_a_row_and_other_text_is_refused():
    row = _row(_named("Bob"), facts())
    line = _line(row)
    assert read_line(json.dumps(line), where="x:1") == (row[0], past_from(row))
    for masked in ({**line, "private": None}, {k: v for k, v in line.items() if k != "private"}):
        _, reason = read_line(json.dumps(masked), where="x:1")
        assert "private part" in reason
    with pytest.raises(RecordUnreadable, match="x:1 is not an exported decision"):
        read_line('{"a": 1}', where="x:1")


@pytest.mark.parametrize("value", [{"$at": "noon"}, {"$at": 10**30}, {}, [{"of": 1}]])
def test_a_value_that_no_record_can_hold_is_not_guessed(value):
    row = _row(_named("Bob"), facts())
    line = _line(row)
    line["private"]["facts"] = {"actor.upn": value}
    assert read_line(json.dumps(line), where="x:1")[1] == Obstacle.NO_VALUE


def test_a_row_with_a_moment_that_is_none_is_set_apart():
    row = _row(_named("Bob"), facts(actor__since="x"))
    broken = (*row[:-1], row[-1].replace('"x"', '{"$at":"noon"}'))
    assert list(_simulate([broken]).unreplayable) == [Obstacle.NO_VALUE]


@pytest.mark.parametrize("place", [1, 5, 6])
def test_a_row_that_was_altered_beyond_reading_is_set_apart(place):
    row = _row(_named("Bob"), facts())
    broken = (*row[:place], "broken", *row[place + 1 :])
    assert list(_simulate([broken]).unreplayable) == [Obstacle.NO_VALUE]
    with pytest.raises(Unreplayable, match=Obstacle.NO_VALUE):
        past_from(broken)


def test_a_decision_without_the_zone_of_its_time_is_refused():
    line = {**_line(_row(_named("Bob"), facts())), "decided_at": "2026-08-21T10:00"}
    with pytest.raises(RecordUnreadable, match="x:1 is not an exported decision"):
        read_line(json.dumps(line), where="x:1")


def test_a_tally_can_be_written_down_and_taken_up_again():
    rows = [_row(_named(name), facts()) for name in ("Bob", "Carl")]
    rows.append(_row(_named("Bob"), facts(), mask=True))
    whole = _simulate(rows)
    first = _simulate(rows[:1])
    resumed = Tally.from_json(json.loads(json.dumps(first.as_json())))
    assert _simulate(rows[1:], tally=resumed) == whole


def test_a_baseline_is_compared_instead_of_the_record():
    row = _row(_named("Bob"), facts(), a_set())
    assert list(_simulate([row], _NEW, baseline=_OLD).cells) == ["allow -> reject"]
    assert _simulate([row], _OLD, baseline=_OLD).cells == {}


@_QUIET
@given(
    _POLICIES,
    _POLICIES,
    st.lists(_changes(), min_size=1, max_size=4),
    st.booleans(),
    st.booleans(),
)
def test_the_short_cuts_never_change_what_is_told(
    first, second, given_changes, against_baseline, is_edited
):
    import random

    order = random.Random(1)  # noqa: S311
    old = a_set(*_texts(first, order))
    # Some policies stay as they are, and some but for a rule, so that every way is taken.
    edited = [
        (mode, on_error, [*instead[:1], *rules[1:]], when)
        for (mode, on_error, rules, when), (_, _, instead, _) in zip(first, second, strict=False)
    ]
    new = a_set(*_texts((edited + first[len(edited) :]) if is_edited else second, order))
    rows = [_row(change, known, old) for change, known in given_changes]
    baseline = old if against_baseline else None
    quick = _simulate(rows, new, baseline=baseline, find_set=lambda digest: old)

    slow = Simulation(new, find_set=lambda digest: None)
    for row in rows:
        slow.take(past_from(row))

    for tally in (quick, slow.tally):
        tally.evaluated = 0
    if not quick.unreplayable and not slow.tally.unreplayable:
        assert quick == slow.tally
    differing = 0
    for row in rows:
        past = past_from(row)
        again = decide(past.change, new, past.facts, now=past.now)
        differing += again.outcome.value != past.outcome
        decision = decide(past.change, old, past.facts, now=past.now)
        assert decision.outcome.value == past.outcome
        contributing = [f.id for f in decision.findings if f.contributes is not Outcome.ALLOW]
        assert sorted(past.rules) == sorted(contributing)
    if not quick.unreplayable:
        assert quick.differing == differing


def test_rows_given_are_never_altered():
    change = Change("mailbox", "update", "r1", MappingProxyType({"name": "A"}), {"name": "B"})
    past = past_from(_row(change, facts()))
    assert past.change.differing == {"name"}
