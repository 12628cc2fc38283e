"""What the guard writes into its ledger is read back as it was; what nobody wrote is refused."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guard.answers import recorded_finding
from guard.ledger.codec import storable, text_of
from rules.engine.decide import decide
from rules.model.change import NO_FACTS
from rules.replay.ledger_format import ValueUnreadable, finding_from, values_from, with_after
from tests.rules.builders import NOW, a_change, a_policy, a_set

_MOMENTS = st.datetimes(
    datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)  # noqa: DTZ001
)  # fmt: skip
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=9) | _MOMENTS,
    lambda inner: st.lists(inner, max_size=3).map(tuple),
    max_leaves=5,
)


@settings(deadline=None)
@given(st.dictionaries(st.text(max_size=9), _VALUES, max_size=4))
def test_columns_come_back_with_their_moments_and_lists(columns):
    assert values_from(json.loads(text_of(storable(columns)))) == columns


@pytest.mark.parametrize(
    "stored", [{"$at": "noon"}, {"$at": None}, {"$at": 10**30}, {}, [{"of": 1}], {"a": 1}, object()]
)
def test_a_value_that_nobody_can_have_written_is_refused(stored):
    with pytest.raises(ValueUnreadable):
        values_from({"column": stored})


def test_the_row_after_a_change_is_the_one_before_overlaid_with_what_altered():
    private = {"before": {"a": 1, "b": 2}, "altered": {"b": 3}, "sent": ["b"]}
    assert with_after(private) == {"before": {"a": 1, "b": 2}, "after": {"a": 1, "b": 3},
                                   "sent": ["b"]}  # fmt: skip
    assert with_after({"after": {"a": 1}}) == {"after": {"a": 1}}
    assert with_after({"findings": []}) == {"findings": []}


@pytest.mark.parametrize("effect", ["reject", "hold"])
@pytest.mark.parametrize("field", ["name", "owner.upn"])
def test_a_finding_of_an_enforced_rule_comes_back_whole(effect, field):
    rule = f"{{id: the-rule, effect: {effect}, require: [{{field: {field}, equals: Bob}}]"
    policy_set = a_set(a_policy(f"{rule}, message: m, help: do}}"))
    (finding,) = decide(a_change(name="Anna"), policy_set, NO_FACTS, now=NOW).findings
    again = finding_from(json.loads(text_of(recorded_finding(finding))))
    if finding.result == "error":
        # What an erring rule would have done is not recorded; it rejects as it errs.
        assert (again.effect, again.contributes) == (finding.effect, finding.contributes)
    else:
        assert again == finding
