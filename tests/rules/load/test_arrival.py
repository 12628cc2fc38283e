"""What never arrives is not decided by: naming it is a mistake, in a policy and in a test."""

from __future__ import annotations

from textwrap import dedent

import pytest

from rules.load.loader import load_documents
from rules.model.catalogue import RECORD_ID, Arrival, Catalogue, Kind
from rules.model.errors import ChangeUnreadable
from rules.testing.document import read_change
from tests.rules.builders import a_policy, a_set, codes, complaints, run_text

_SHIPPED = load_documents({}).catalogue
_TABLES = ("mailbox", "systemuser", "queue")


def _columns(catalogue: Catalogue, arrival: Arrival) -> list[tuple[str, str]]:
    return [
        (table, field.name)
        for table in _TABLES
        for field in catalogue.entities[table].fields.values()
        if field.arrives is arrival and field.kind is not Kind.LOOKUP
    ]


def _naming(table: str, path: str) -> str:
    return a_policy(
        f"{{id: the-rule, require: [{{field: {path}, exists: true}}], message: m}}", entity=table
    )


@pytest.mark.parametrize(("table", "name"), _columns(_SHIPPED, Arrival.NEVER))
@pytest.mark.parametrize("side", ["", "new.", "old."])
def test_naming_a_column_that_no_delivery_carries_is_a_mistake(table, name, side):
    assert codes(_naming(table, side + name)) == ["field-never-arrives"]


@pytest.mark.parametrize("name", ["ownerEmployment", "exceptionUses", "exceptionApprovedByActor"])
def test_naming_a_fact_that_nothing_looks_up_is_a_mistake(name):
    assert codes(_naming("mailbox", f"facts.{name}")) == ["field-never-arrives"]


def test_so_is_naming_it_in_a_message_in_match_or_as_the_value_of_another_field():
    rule = "{id: the-rule, require: [{field: address, equals: {field: ewsurl}}], message: m}"
    assert codes(a_policy(rule)) == ["field-never-arrives"]
    rule = '{id: the-rule, require: [{field: address, exists: true}], message: "{ewsurl}"}'
    assert codes(a_policy(rule)) == ["field-never-arrives"]
    rule = "{id: the-rule, require: [{field: address, exists: true}], message: m}"
    assert codes(a_policy(rule, when="{field: ewsurl, exists: true}")) == ["field-never-arrives"]


def test_a_policy_on_what_no_delivery_tells_is_a_mistake_whatever_it_names():
    rule = "{id: the-rule, require: [{field: actor.kind, equals: user}], message: m}"
    for named in (rule, rule.replace("actor.kind, equals: user", "name, exists: true")):
        assert codes(a_policy(named, entity="emailserverprofile")) == ["entity-never-arrives"]


def test_a_policy_on_deletes_is_told_that_none_come():
    text = a_policy("{id: the-rule, require: [{field: address, exists: true}], message: m}")
    text = text.replace("operations: [", "operations: [delete, ")
    assert "operation-unnoticed" in [one.code for one in a_set(text).warnings]


def test_a_row_keeps_its_id_so_that_no_rule_may_wait_for_another():
    rule = "{id: the-rule, require: [{field: id, changed: true}], message: m}"
    assert codes(a_policy(rule)) == ["operator-misfit"]


@pytest.mark.parametrize(
    ("table", "name"),
    [(table, name) for table, name in _columns(_SHIPPED, Arrival.IMAGE) if name != RECORD_ID],
)
def test_a_change_that_alone_brings_no_delivery_is_remarked_on(table, name):
    rule = f"{{id: the-rule, require: [{{field: {name}, changed: true}}], message: m}}"
    found = a_set(a_policy(rule, entity=table)).warnings
    assert [one.code for one in found] == ["change-unnoticed"]


@pytest.mark.parametrize(
    ("table", "name"), _columns(_SHIPPED, Arrival.DELIVERY) + _columns(_SHIPPED, Arrival.IMAGE)
)
def test_what_a_delivery_carries_may_be_named(table, name):
    assert codes(_naming(table, name)) == []


def test_a_fixture_that_gives_what_would_not_arrive_is_a_mistake():
    text = """
        fixtures: {row: {old: {address: a@b.de, ewsurl: x}, new: {}}}
        cases: [{name: one, use: row, expect: {decision: allow}}]
    """
    (result,) = run_text("tests/a.test.yaml", dedent(text), a_set(), found=[])
    assert not result.passed
    assert any("never arrives" in problem for problem in result.case.problems)


@pytest.mark.parametrize("place", ["{new: {ewsurl: x}}", "{facts: {exceptionUses: 3}}"])
def test_so_is_a_change_file_that_gives_it(place):
    with pytest.raises(ChangeUnreadable, match="never arrives"):
        read_change(place, _SHIPPED)


@pytest.mark.parametrize(
    ("section", "path"),
    [
        ("mailbox:\n  ewsurl: {type: string}", "ewsurl"),
        ("mailbox:\n  new_costcentre: {type: string}", "new_costcentre"),
        ("mailbox:\n  owner.shoeSize: {type: string, arrives: fact}", "owner.shoeSize"),
        ("facts:\n  mood: {type: string}", "facts.mood"),
        ("actor:\n  mood: {type: string, arrives: delivery}", "actor.mood"),
    ],
)
def test_a_catalogue_of_ones_own_makes_nothing_arrive(section, path):
    text = f"mailbox: {{emailaddress: {{type: string}}}}\n{section}\n"
    if section.startswith("mailbox"):
        text = f"{section}\n"
    assert codes(_naming("mailbox", path), fields=text) == ["field-never-arrives"]


def test_what_the_product_carries_arrives_whoever_describes_it():
    fields = (
        "queue:\n  name: {type: string}\n  ownerid: {type: lookup}\n  owner.upn: {type: string}\n"
    )
    for path in ("name", "ownerid", "owner.upn"):
        assert codes(_naming("queue", path), fields=fields) == []


def test_a_column_that_one_registers_oneself_may_be_said_to_arrive():
    fields = "mailbox:\n  new_costcentre: {type: string, arrives: image}\n"
    assert codes(_naming("mailbox", "new_costcentre"), fields=fields) == []


def test_the_nearest_name_that_is_suggested_is_one_that_arrives():
    (complaint,) = complaints(_naming("mailbox", "ewsurls"))
    assert "ewsurl`?" not in str(complaint)
