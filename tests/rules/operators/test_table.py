"""Every operator does what its documented example says, and treats emptiness as it must."""

from __future__ import annotations

import json
from collections import defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.engine.decide import decide
from rules.model.catalogue import Kind
from rules.model.change import Facts
from rules.operators.table import OPERATORS
from rules.testing.document import read_change
from tests.rules.builders import NOW, a_change, a_policy, a_set, facts
from tests.rules.written import WrittenField, conditions, fits


def _set_of(condition):
    rule = f"{{id: the-rule, require: [{json.dumps(dict(condition))}], message: m}}"
    return a_set(a_policy(rule))


def _decided(condition, values, *, operation="update"):
    policy_set = _set_of(condition)
    document = {"operation": operation, "new": {}, "old": {}, "actor": {}}
    for path, value in values.items():
        root, _, name = path.partition(".")
        document[root][name] = value
    given = read_change(json.dumps(document), policy_set.catalogue)
    return decide(given.change, policy_set, given.facts, now=NOW)


@pytest.mark.parametrize("operator", OPERATORS.values(), ids=lambda operator: operator.name)
class TestEveryOperator:
    def test_its_example_holds(self, operator):
        decision = _decided(operator.example.condition, operator.example.holds)
        assert decision.findings == ()

    def test_its_counterexample_fails(self, operator):
        (finding,) = _decided(operator.example.condition, operator.example.fails).findings
        assert finding.result == "fail"

    def test_what_it_names_is_an_operator_that_could_stand_in_its_place(self, operator):
        for name in filter(None, (operator.opposite, *operator.near)):
            other = OPERATORS[name]
            assert other is not operator
            assert operator.kinds & other.kinds
            assert other.takes in (operator.takes, "flag")

    def test_it_says_itself_in_cel_or_that_it_cannot(self, operator):
        assert operator.cel is None or operator.cel.format_map(defaultdict(str))
        if Kind.LIST in operator.kinds:
            assert (operator.cel_of_list is None) is (operator.cel is None)

    def test_it_is_documented(self, operator):
        assert operator.doc.endswith(".")
        assert operator.name in operator.example.condition
        assert operator.describe("a", "b").startswith("a ")


@pytest.mark.parametrize(
    ("condition", "result"),
    [
        ({"field": "emailaddress", "equals": "a@b.de"}, "error"),
        ({"field": "emailaddress", "notEquals": "a@b.de"}, "error"),
        ({"field": "emailaddress", "notIn": ["a@b.de"]}, "error"),
        ({"field": "emailaddress", "matches": ".*"}, "error"),
        ({"field": "emailaddress", "part": "length", "less": 5}, "error"),
        ({"field": "emailaddress", "exists": True}, "fail"),
        ({"field": "emailaddress", "becomes": "a@b.de"}, "fail"),
        ({"field": "emailaddress", "changed": True}, "fail"),
        ({"not": {"field": "emailaddress", "equals": "a@b.de"}}, "error"),
    ],
)
def test_an_empty_field_is_an_error_except_where_emptiness_is_asked_for(condition, result):
    for empty in (None, ""):
        (finding,) = _decided(condition, {"new.emailaddress": empty}).findings
        assert finding.result == result


def test_an_empty_list_contains_nothing_and_an_unknown_one_is_an_error():
    condition = {"field": "actor.roles", "contains": "Delegate"}
    (empty,) = _decided(condition, {"actor.roles": []}).findings
    (unknown,) = _decided(condition, {}).findings

    assert (empty.result, unknown.result) == ("fail", "error")
    assert unknown.unknown == ("actor.roles",)


def test_a_list_and_a_value_of_another_shape_are_errors_whatever_is_asked():
    policy_set = a_set(
        a_policy("{id: the-rule, require: [{field: actor.upn, exists: false}], message: m}")
    )
    given = read_change("{}", policy_set.catalogue)
    decision = decide(given.change, policy_set, facts(actor__upn=5), now=NOW)
    assert decision.findings[0].result == "error"


def test_becomes_needs_only_the_value_on_create():
    condition = {"field": "approval", "becomes": "approved"}
    values = {"new.emailrouteraccessapproval": 1}
    assert _decided(condition, values, operation="create").findings == ()


def test_changed_follows_the_case_rule_of_the_field():
    values = {"new.emailaddress": "A@b.de", "old.emailaddress": "a@B.DE"}
    assert _decided({"field": "emailaddress", "changed": False}, values).findings == ()
    strict = {"field": "emailaddress", "changed": True, "caseSensitive": True}
    assert _decided(strict, values).findings == ()


def test_the_domain_is_what_follows_the_last_at_sign():
    condition = {"field": "emailaddress", "part": "domain", "equals": "contoso.com"}
    assert _decided(condition, {"new.emailaddress": "a@x@CONTOSO.com"}).findings == ()
    (finding,) = _decided(condition, {"new.emailaddress": "a@contoso.com@x.example"}).findings
    assert finding.result == "fail"


def test_letters_that_only_look_alike_stay_apart():
    kelvin = "\u212aeo@contoso.com"
    (finding,) = _decided(
        {"field": "emailaddress", "equals": "keo@contoso.com"}, {"new.emailaddress": kelvin}
    ).findings
    assert finding.result == "fail"
    (finding,) = _decided(
        {"field": "emailaddress", "matches": "[a-z]+@contoso[.]com"}, {"new.emailaddress": kelvin}
    ).findings
    assert finding.result == "fail"


_WITH_OPPOSITE = [each for each in OPERATORS.values() if each.opposite is not None]
_FIELDS = {
    "emailaddress": st.sampled_from(["anna@contoso.com", "ANNA@contoso.com", "a", "", None, 5]),
    "emailrouteraccessapproval": st.sampled_from([0, 1, 2, None, "1"]),
    "isforwardmailbox": st.sampled_from([True, False, None, 1]),
}
_FACTS = {
    "new.addressOwner.count": st.sampled_from([0, 1, -1, 0.5, None, "1"]),
    "actor.roles": st.sampled_from([("Delegate",), ("DELEGATE", "Reader"), (), None, "Delegate"]),
}
_WRITTEN = (
    WrittenField("emailaddress", Kind.STRING, ("anna@contoso.com", "a")),
    WrittenField("emailaddress", Kind.NUMBER, (1, 16), part="length"),
    WrittenField("emailrouteraccessapproval", Kind.CHOICE, ("approved", "empty")),
    WrittenField("isforwardmailbox", Kind.BOOLEAN, (True, False)),
    WrittenField("addressOwner.count", Kind.NUMBER, (0, 1)),
    WrittenField("actor.roles", Kind.LIST, ("Delegate", "Manager")),
)


@pytest.mark.slow
@pytest.mark.parametrize("operator", _WITH_OPPOSITE, ids=lambda operator: operator.name)
def test_an_opposite_answers_the_other_way_round_and_errs_on_the_same_values(operator):
    other = OPERATORS[operator.opposite]
    assert other.opposite == operator.name
    assert (other.kinds, other.takes) == (operator.kinds, operator.takes)

    @settings(deadline=None, max_examples=60, database=None)
    @given(
        st.one_of(*(conditions(operator, one) for one in _WRITTEN if fits(operator, one))),
        st.fixed_dictionaries(_FIELDS),
        st.fixed_dictionaries({}, optional=_FACTS),
    )
    def judge(condition, values, known):
        swapped = {
            (other.name if key == operator.name else key): value for key, value in condition.items()
        }
        change = a_change(before=dict.fromkeys(values), **values)
        given = Facts(known, {})
        results = [
            [finding.result for finding in decide(change, _set_of(one), given, now=NOW).findings]
            for one in (condition, swapped)
        ]
        assert results in ([[], ["fail"]], [["fail"], []], [["error"], ["error"]])

    judge()


def test_every_kind_has_an_operator():
    for kind in Kind:
        assert any(kind in operator.kinds for operator in OPERATORS.values())
